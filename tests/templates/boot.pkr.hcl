# Boots an overlay of a volume and runs a command in it.

variable "uri" { type = string }
variable "pool" { type = string }
variable "domain_type" { type = string }
variable "volume" { type = string }
variable "domain" { type = string }
variable "command" { type = string }
variable "address_source" {
  type    = string
  default = "lease"
}
variable "username" {
  type    = string
  default = "root"
}
variable "memory" {
  type    = number
  default = 256
}
variable "timeout" {
  type    = string
  default = "3m"
}

data "sshkey" "install" {
  type = "ed25519"
}

source "libvirt" "boot" {
  libvirt_uri            = var.uri
  domain_type            = var.domain_type
  domain_name            = var.domain
  memory                 = var.memory
  network_address_source = var.address_source
  shutdown_mode          = "acpi"

  network_interface {
    type  = "managed"
    alias = "communicator"
  }

  communicator {
    ssh_username         = var.username
    ssh_private_key_file = data.sshkey.install.private_key_path
    ssh_timeout          = var.timeout
  }

  volume {
    alias = "artifact"
    pool  = var.pool
    name  = "booted-${var.volume}"

    source {
      type   = "backing-store"
      pool   = var.pool
      volume = var.volume
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
  sources = ["source.libvirt.boot"]

  provisioner "shell" {
    inline = [var.command]
  }
}
