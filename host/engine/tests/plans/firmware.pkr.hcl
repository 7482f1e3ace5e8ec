# Firmware, graphics, CPU, chipset and boot order.
source "libvirt" "example" {
  libvirt_uri            = "qemu:///system"
  domain_name            = "firmware & <more>"
  domain_type            = "qemu"
  arch                   = "x86_64"
  chipset                = "q35"
  vcpu                   = 4
  memory                 = 2048
  cpu_mode               = "host-passthrough"
  boot_devices           = ["cdrom", "hd", "network"]
  loader_path            = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd"
  loader_type            = "pflash"
  secure_boot            = true
  nvram_path             = "/var/lib/libvirt/qemu/nvram/example_VARS.fd"
  nvram_template         = "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"
  network_address_source = "lease"

  network_interface {
    type  = "managed"
    mac   = "52:54:00:00:00:01"
    model = "e1000"
  }

  graphics {
    type = "vnc"
    port = 5901
  }

  communicator {
    ssh_username = "root"
    ssh_password = "hush"
  }

  volume {
    alias    = "artifact"
    name     = "firmware"
    capacity = "20G"
    size     = "1G"
    format   = "qcow2"
    bus      = "scsi"
  }

  volume {
    device = "cdrom"
    name   = "drivers"
    source {
      type     = "files"
      label    = "drivers"
      contents = { "a.txt" = "a" }
    }
  }
}

build {
  sources = ["libvirt.example"]
}
