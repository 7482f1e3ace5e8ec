# An image and a domain on it that nobody waits for: the benchmark interrupts the build as soon as
# the transfer that it measures is done.

variable "uri" { type = string }
variable "pool" { type = string }
variable "domain_type" { type = string }
variable "domain" { type = string }
variable "image" { type = string }
variable "checksum" { type = string }

source "libvirt" "image" {
  libvirt_uri      = var.uri
  domain_type      = var.domain_type
  domain_name      = var.domain
  memory           = 128
  shutdown_timeout = "10m"

  communicator {
    communicator = "none"
  }

  volume {
    alias = "artifact"
    pool  = var.pool
    name  = "image"

    source {
      type     = "external"
      urls     = [var.image]
      checksum = var.checksum
    }
  }
}

build {
  sources = ["source.libvirt.image"]
}
