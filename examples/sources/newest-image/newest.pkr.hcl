# Builds from the newest image of a listing: see README.md for the component and its permission.

variable "uri" {
  type    = string
  default = "qemu:///system"
}
variable "pool" {
  type    = string
  default = "default"
}
variable "domain" {
  type    = string
  default = "newest"
}
variable "domain_type" {
  type    = string
  default = "kvm"
}
variable "listing" {
  type    = string
  default = "https://cloud.debian.org/images/cloud/bookworm/latest/"
}
variable "pattern" {
  type    = string
  default = "debian-12-generic-amd64*.qcow2"
}
variable "checksums" {
  type    = string
  default = "SHA512SUMS"
}
variable "username" {
  type    = string
  default = "debian"
}
variable "memory" {
  type    = number
  default = 1024
}

data "sshkey" "install" {
  type = "ed25519"
}

source "libvirt" "newest" {
  libvirt_uri            = var.uri
  domain_type            = var.domain_type
  domain_name            = var.domain
  memory                 = var.memory
  network_address_source = "lease"
  shutdown_mode          = "acpi"

  network_interface {
    type  = "managed"
    alias = "communicator"
  }

  communicator {
    ssh_username         = var.username
    ssh_private_key_file = data.sshkey.install.private_key_path
    ssh_timeout          = "5m"
  }

  volume {
    alias = "artifact"
    pool  = var.pool
    name  = "newest.qcow2"

    source {
      type      = "newest-image"
      listing   = var.listing
      pattern   = var.pattern
      checksums = var.checksums
    }
  }

  volume {
    pool = var.pool

    source {
      type = "cloud-init"
      user_data = format("#cloud-config\n%s", jsonencode({
        ssh_authorized_keys = [data.sshkey.install.public_key]
      }))
    }
  }
}

build {
  sources = ["source.libvirt.newest"]

  provisioner "shell" {
    inline = ["echo built from the newest image > built-from"]
  }
}
