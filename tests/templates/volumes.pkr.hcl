# One volume of each kind of source, all looked at from inside of one guest.

variable "uri" { type = string }
variable "pool" { type = string }
variable "domain_type" { type = string }
variable "image_url" { type = string }
variable "image_checksum" { type = string }
variable "domain" { type = string }
variable "address_source" { type = string }

data "sshkey" "install" {
  type = "ed25519"
}

source "libvirt" "volumes" {
  libvirt_uri            = var.uri
  domain_type            = var.domain_type
  domain_name            = var.domain
  memory                 = 256
  chipset                = "q35"
  network_address_source = var.address_source
  shutdown_mode          = "acpi"

  network_interface {
    type  = "managed"
    alias = "communicator"
  }

  communicator {
    communicator         = "ssh"
    ssh_username         = "root"
    ssh_private_key_file = data.sshkey.install.private_key_path
  }

  volume {
    alias = "artifact"
    pool  = var.pool
    name  = "artifact.qcow2"

    source {
      type     = "external"
      urls     = ["${var.image_url}.missing", var.image_url]
      checksum = "sha256:${var.image_checksum}"
    }

    capacity = "1G"
    bus      = "virtio"
    format   = "qcow2"
  }

  volume {
    pool = var.pool

    source {
      type = "cloudinit"
      user_data = format("#cloud-config\n%s", jsonencode({
        ssh_authorized_keys = [data.sshkey.install.public_key]
      }))
    }
  }

  volume {
    alias  = "drivers"
    pool   = var.pool
    device = "cdrom"

    source {
      type     = "files"
      label    = "drivers"
      files    = ["drivers/*"]
      contents = { "read me first.txt" = "contents of the disc\n" }
    }
  }

  volume {
    alias  = "floppy"
    pool   = var.pool
    device = "floppy"

    source {
      type     = "files"
      label    = "unattend"
      contents = { "Unattend.xml" = "<unattend/>\n", "deep/er/file.txt" = "deep\n" }
    }
  }

  volume {
    alias    = "clone"
    pool     = var.pool
    name     = "clone.raw"
    capacity = "20M"

    source {
      type   = "clone"
      volume = "base.raw"
    }
  }

  volume {
    alias    = "overlay"
    pool     = var.pool
    name     = "overlay.qcow2"
    capacity = "30M"

    source {
      type   = "backing-store"
      pool   = var.pool
      volume = "base.raw"
    }
  }

  volume {
    alias    = "existing"
    pool     = var.pool
    name     = "existing.raw"
    readonly = true
  }
}

build {
  sources = ["source.libvirt.volumes"]

  provisioner "file" {
    source      = "payload"
    destination = "/root"
  }

  provisioner "shell" {
    env = { GREETING = "it's provisioned" }
    inline = [
      "lvhost-guest-media mount || true",
      "ls -lR /media",
      "test \"$(cat /root/payload/inner/file.txt)\" = payload",
      "grep -q 'contents of the disc' '/media/cdrom1/read me first.txt'",
      "grep -q 'an inf' /media/cdrom1/net/driver.inf",
      "grep -q '<unattend/>' /media/floppy0/Unattend.xml",
      "grep -q deep /media/floppy0/deep/er/file.txt",
      "for disk in vdb vdc vdd; do echo \"$disk $(head -c 9 /dev/$disk) $(cat /sys/block/$disk/size) $(cat /sys/block/$disk/ro)\"; done",
      "test \"$(head -c 9 /dev/vdb)\" = base-data",
      "test \"$(cat /sys/block/vdb/size)\" = 40960",
      "test \"$(head -c 9 /dev/vdc)\" = base-data",
      "test \"$(cat /sys/block/vdc/size)\" = 61440",
      "test \"$(cat /sys/block/vdd/ro)\" = 1",
      "echo scribble > /dev/vdc",
      "test \"$(cat /sys/block/vda/size)\" = 2097152",
      "echo \"$GREETING\" > /root/provisioned",
      "sync",
    ]
  }

  provisioner "file" {
    source      = "/root/provisioned"
    destination = "fetched/provisioned.txt"
    direction   = "download"
  }

  provisioner "shell-local" {
    inline = ["test \"$(cat fetched/provisioned.txt)\" = \"it's provisioned\""]
  }
}
