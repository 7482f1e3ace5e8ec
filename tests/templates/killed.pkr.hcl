# Makes one of everything that a killed build can leave: a domain with firmware variables and a TPM,
# volumes of each kind, passt, an HTTP server, a half copy of the artifact.

variable "uri" { type = string }
variable "pool" { type = string }
variable "domain_type" { type = string }
variable "domain" { type = string }
variable "disk" { type = string }
variable "endless" { type = bool }

source "libvirt" "killed" {
  libvirt_uri      = var.uri
  domain_type      = var.domain_type
  domain_name      = var.domain
  memory           = 128
  chipset          = "q35"
  firmware         = var.endless ? "efi" : "bios"
  tpm              = var.endless ? "2.0" : null
  output_directory = "output"
  http_content     = { "/file" = "served\n" }

  network_interface {
    type = "user"

    port_forward {
      guest_port = 22
    }
  }

  communicator {
    communicator = "none"
  }

  volume {
    alias = "artifact"
    pool  = var.pool
    name  = "artifact.raw"

    source {
      type     = "external"
      urls     = [var.disk]
      checksum = "none"
    }
  }

  volume {
    pool   = var.pool
    device = "cdrom"

    source {
      type     = "files"
      files    = ["files/*"]
      contents = { "written" = "a text\n" }
    }
  }

  volume {
    pool     = var.pool
    capacity = "20M"

    source {
      type   = "cloning"
      volume = "base.raw"
    }
  }

  volume {
    alias = "overlay"
    pool  = var.pool

    source {
      type   = "backing-store"
      volume = "base.raw"
    }
  }

  volume {
    pool     = var.pool
    alias    = "blank"
    capacity = "10M"

    source {
      type      = "cloud-init"
      user_data = "#cloud-config\n"
    }
  }
}

build {
  sources = ["source.libvirt.killed"]
}
