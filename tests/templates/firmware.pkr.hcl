# Boots a guest by UEFI with Secure Boot and a TPM, finds it by the host's ARP table, and looks at all
# that from inside.

variable "uri" { type = string }
variable "pool" { type = string }
variable "domain_type" { type = string }
variable "domain" { type = string }
variable "volume" { type = string }

data "sshkey" "install" {
  type = "ed25519"
}

source "libvirt" "firmware" {
  libvirt_uri            = var.uri
  domain_type            = var.domain_type
  domain_name            = var.domain
  memory                 = 512
  chipset                = "q35"
  firmware               = "efi"
  secure_boot            = true
  tpm                    = "2.0"
  network_address_source = "arp"
  shutdown_mode          = "acpi"

  network_interface {
    type  = "managed"
    alias = "communicator"
  }

  communicator {
    ssh_username         = "root"
    ssh_private_key_file = data.sshkey.install.private_key_path
    ssh_timeout          = "10m"
  }

  volume {
    alias = "artifact"
    pool  = var.pool
    name  = "booted-by-efi.qcow2"

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
  sources = ["source.libvirt.firmware"]

  provisioner "shell" {
    inline = [
      "ls /sys/firmware/efi /dev/tpm0 /sys/class/tpm/tpm0",
      # The variable's value is its last byte.
      "echo \"secure boot: $(tail -c 1 /sys/firmware/efi/efivars/SecureBoot-* | od -An -t u1 | tr -d ' ')\"",
      "echo \"TPM: $(cat /sys/class/tpm/tpm0/tpm_version_major)\"",
      # The firmware begins the log of what it started by saying that it is of TPM 2.0.
      "grep -q 'Spec ID Event03' /sys/kernel/security/tpm0/binary_bios_measurements",
      "echo the firmware has measured what it started",
    ]
  }
}
