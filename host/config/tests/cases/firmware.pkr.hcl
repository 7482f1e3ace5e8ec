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
