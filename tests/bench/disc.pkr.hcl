# A CD of many files, in a domain that nobody waits for: the benchmark interrupts the build as soon as the disc is
# uploaded. `image` is the folder of the files.

variable "uri" { type = string }
variable "pool" { type = string }
variable "domain_type" { type = string }
variable "domain" { type = string }
variable "image" { type = string }
variable "checksum" { type = string }

source "libvirt" "disc" {
  libvirt_uri      = var.uri
  domain_type      = var.domain_type
  domain_name      = var.domain
  memory           = 128
  shutdown_timeout = "10m"

  communicator {
    communicator = "none"
  }

  volume {
    alias    = "artifact"
    pool     = var.pool
    name     = "image"
    capacity = "1M"
  }

  volume {
    pool = var.pool

    source {
      type  = "files"
      files = ["${var.image}/*"]
    }
  }
}

build {
  sources = ["source.libvirt.disc"]
}
