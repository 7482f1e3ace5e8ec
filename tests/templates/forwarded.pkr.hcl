# Boots a copy of an image behind passt and reaches it by a forwarded port, without any privilege on the
# hypervisor's host and wherever that is.

variable "uri" { type = string }
variable "pool" { type = string }
variable "domain_type" { type = string }
variable "domain" { type = string }
variable "image" { type = string }
variable "command" { type = string }
# A free port if left out, where the hypervisor is on this machine.
variable "port" {
  type    = number
  default = null
}
variable "bastion" {
  type    = bool
  default = false
}
# What lvhost serves to the guest while it runs.
variable "content" {
  type    = map(string)
  default = null
}
variable "output_directory" {
  type    = string
  default = null
}

data "sshkey" "install" {
  type = "ed25519"
}

source "libvirt" "forwarded" {
  libvirt_uri      = var.uri
  domain_type      = var.domain_type
  domain_name      = var.domain
  memory           = 256
  shutdown_mode    = "acpi"
  output_directory = var.output_directory
  http_content     = var.content

  network_interface {
    type  = "user"
    alias = "communicator"

    port_forward {
      host_port  = var.port
      guest_port = 22
    }
  }

  communicator {
    ssh_username         = "root"
    ssh_private_key_file = data.sshkey.install.private_key_path
    ssh_bastion_from_uri = var.bastion
    ssh_timeout          = "10m"
  }

  volume {
    alias = "artifact"
    pool  = var.pool
    name  = "forwarded.qcow2"

    source {
      type     = "external"
      urls     = [var.image]
      checksum = "none"
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
  sources = ["source.libvirt.forwarded"]

  provisioner "shell" {
    inline = [var.command]
  }
}
