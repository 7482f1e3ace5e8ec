# Uploads an image and starts a domain on it that nobody can reach.

variable "uri" { type = string }
variable "pool" { type = string }
variable "domain_type" { type = string }
variable "domain" { type = string }
variable "image" { type = string }

source "libvirt" "sparse" {
  libvirt_uri            = var.uri
  domain_type            = var.domain_type
  domain_name            = var.domain
  network_address_source = "lease"

  network_interface {
    type  = "managed"
    alias = "communicator"
  }

  communicator {
    ssh_username = "root"
    ssh_password = "none"
    ssh_timeout  = "10s"
  }

  volume {
    alias = "artifact"
    pool  = var.pool
    name  = "sparse.raw"

    source {
      type     = "external"
      urls     = [var.image]
      checksum = "none"
    }
  }
}

build {
  sources = ["source.libvirt.sparse"]
}
