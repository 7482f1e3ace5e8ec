source "libvirt" "devices" {
  libvirt_uri  = "qemu:///system"
  communicator = "none"

  volume {
    alias      = "artifact"
    capacity   = "1G"
    bus        = "vritio"
    target_dev = "sda"
  }
  volume {
    name   = "floppy"
    device = "floppy"
    bus    = "sata"
  }
  volume {
    name   = "cd"
    device = "cdrom"
    bus    = "virtio"
  }
  volume {
    name   = "lun"
    device = "lun"
    bus    = "ide"
  }
  volume {
    name   = "disk"
    device = "disk"
    bus    = "fdc"
  }
  volume {
    name   = "stick"
    device = "usb-stick"
    bus    = "fdc"
  }
}
