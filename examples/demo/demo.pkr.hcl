# Builds an image from a small guest's, without privileges: a hypervisor of one's own behind
# qemu:///session, a `user` network interface and a port of this host that is forwarded to the
# guest's sshd. Run it with `make demo`.

packer {
  required_plugins {
    sshkey = {
      version = ">= 1.0.1"
      source  = "github.com/ivoronin/sshkey"
    }
    libvirt = {
      version = ">= 0.5.0"
      source  = "github.com/thomasklein94/libvirt"
    }
  }
}

variable "image" {
  type        = string
  description = "URL or path of the image to start from."
}

variable "image_checksum" {
  type        = string
  default     = "none"
  description = "Its checksum, as `sha256:…`."
}

variable "domain_type" {
  type        = string
  default     = "kvm"
  description = "`qemu` where KVM does not work: slower, and runs everywhere."
}

variable "name" {
  type        = string
  default     = "lvhost-demo"
  description = "Name of the volume to make in the pool `default`."
}

data "sshkey" "install" {
}

source "libvirt" "demo" {
  libvirt_uri = "qemu:///session"
  domain_type = var.domain_type

  vcpu   = 1
  memory = 256

  # No host_port: lvhost takes one that is free.
  network_interface {
    type  = "user"
    alias = "communicator"

    port_forward {
      guest_port = 22
    }
  }

  communicator {
    communicator         = "ssh"
    ssh_username         = "root"
    ssh_private_key_file = data.sshkey.install.private_key_path
  }

  volume {
    alias = "artifact"
    name  = var.name

    source {
      type     = "external"
      urls     = [var.image]
      checksum = var.image_checksum
    }

    capacity = "512M"
    bus      = "virtio"
    format   = "qcow2"
  }

  volume {
    source {
      type = "cloud-init"
      user_data = format("#cloud-config\n%s", jsonencode({
        ssh_authorized_keys = [
          data.sshkey.install.public_key,
        ]
      }))
    }
  }

  shutdown_mode = "acpi"
}

build {
  sources = ["source.libvirt.demo"]

  provisioner "file" {
    content     = "This image was built by lvhost.\n"
    destination = "/etc/motd"
  }

  provisioner "shell" {
    inline = [
      "echo this guest is $(hostname), up for $(cut -d ' ' -f 1 /proc/uptime) s",
      "cat /etc/motd",
      "ip -br a",
    ]
  }
}
