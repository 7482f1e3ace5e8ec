source "libvirt" "firmware" {
  libvirt_uri    = "qemu:///system"
  communicator   = "none"
  loader_type    = "flash"
  nvram_template = "vars.fd"
  boot_devices   = ["hd", "usb"]
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}

source "libvirt" "relative" {
  libvirt_uri  = "qemu:///system"
  communicator = "none"
  loader_path  = "OVMF.fd"
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}

# A template that relied on 0.5.0 ignoring it.
source "libvirt" "secure-bios" {
  libvirt_uri  = "qemu:///system"
  communicator = "none"
  secure_boot  = true
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}

source "libvirt" "secure-loader" {
  libvirt_uri  = "qemu:///system"
  communicator = "none"
  secure_boot  = true
  loader_path  = "/OVMF.fd"
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}
