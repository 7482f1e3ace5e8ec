# The artifact is a CD of the files in a folder. The guest is a boot sector that powers itself off.

variable "uri" { type = string }
variable "pool" { type = string }
variable "domain_type" { type = string }
variable "domain" { type = string }
variable "content" { type = string }
variable "disk" { type = string }

source "libvirt" "disc" {
  libvirt_uri           = var.uri
  domain_type           = var.domain_type
  domain_name           = var.domain
  memory                = 64
  artifact_volume_alias = "disc"

  communicator {
    communicator = "none"
  }

  volume {
    pool = var.pool

    source {
      type     = "external"
      urls     = [var.disk]
      checksum = "none"
    }
  }

  volume {
    alias  = "disc"
    pool   = var.pool
    name   = "${var.content}.iso"
    device = "cdrom"

    source {
      type  = "files"
      files = ["${var.content}/"]
    }
  }
}

build {
  sources = ["source.libvirt.disc"]
}
