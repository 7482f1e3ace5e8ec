# A guest that is logged in to with a key pair of the build, which it has from cloud-init; its image is
# downloaded compacted.

variable "uri" { type = string }
variable "pool" { type = string }
variable "domain_type" { type = string }
variable "domain" { type = string }
variable "image" { type = string }

source "libvirt" "keyed" {
  libvirt_uri            = var.uri
  domain_type            = var.domain_type
  domain_name            = var.domain
  memory                 = 256
  network_address_source = "lease"
  shutdown_mode          = "acpi"
  output_directory       = "out"
  output_compact         = true

  network_interface {
    type  = "managed"
    alias = "communicator"
  }

  communicator {
    ssh_username              = "root"
    ssh_clear_authorized_keys = true
    temporary_key_pair_type   = "ecdsa"
  }

  volume {
    alias = "artifact"
    pool  = var.pool
    name  = "keyed.qcow2"

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
        ssh_authorized_keys = ["{{ .SSHPublicKey }}"]
      }))
    }
  }
}

build {
  sources = ["source.libvirt.keyed"]

  provisioner "shell" {
    inline = [
      "grep -q ecdsa-sha2 ~/.ssh/authorized_keys",
      "echo the key is: ${build.SSHPublicKey}",
    ]
  }
}
