# The whole build of build.pkr.hcl, by Packer, with nothing but what both plugins know.

variable "uri" { type = string }
variable "pool" { type = string }
variable "domain_type" { type = string }
variable "domain" { type = string }
variable "image" { type = string }
variable "checksum" { type = string }
variable "key" { type = string }
variable "public_key" { type = string }

source "libvirt" "build" {
  libvirt_uri            = var.uri
  domain_type            = var.domain_type
  domain_name            = var.domain
  memory                 = 512
  network_address_source = "lease"
  shutdown_mode          = "acpi"

  network_interface {
    type  = "managed"
    alias = "communicator"
  }

  communicator {
    ssh_username         = "root"
    ssh_private_key_file = var.key
  }

  volume {
    alias    = "artifact"
    pool     = var.pool
    name     = "build"
    capacity = "3G"
    format   = "qcow2"
    bus      = "virtio"

    source {
      type     = "external"
      urls     = [var.image]
      checksum = var.checksum
    }
  }

  volume {
    pool = var.pool
    bus  = "sata"

    source {
      type = "cloud-init"
      user_data = format("#cloud-config\n%s", jsonencode({
        ssh_authorized_keys = [var.public_key]
        disable_root        = false
      }))
    }
  }
}

build {
  sources = ["source.libvirt.build"]

  provisioner "shell" {
    inline = ["echo built > /etc/motd"]
  }
}
