# A whole build as users have them: an image by HTTP with a checksum, cloud-init, the address by
# lease, a provisioner, a graceful shutdown.

variable "uri" { type = string }
variable "pool" { type = string }
variable "domain_type" { type = string }
variable "domain" { type = string }
variable "image" { type = string }
variable "checksum" { type = string }

data "sshkey" "install" {
  type = "ed25519"
}

source "libvirt" "build" {
  libvirt_uri            = var.uri
  domain_type            = var.domain_type
  domain_name            = var.domain
  memory                 = 256
  network_address_source = "lease"
  shutdown_mode          = "acpi"

  network_interface {
    type  = "managed"
    alias = "communicator"
  }

  communicator {
    ssh_username         = "root"
    ssh_private_key_file = data.sshkey.install.private_key_path
  }

  volume {
    alias = "artifact"
    pool  = var.pool
    name  = "build"

    source {
      type     = "external"
      urls     = [var.image]
      checksum = var.checksum
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
  sources = ["source.libvirt.build"]

  provisioner "shell" {
    inline = ["echo built > /etc/motd"]
  }
}
