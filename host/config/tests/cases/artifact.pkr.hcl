source "libvirt" "no-volume" {
  libvirt_uri  = "qemu:///system"
  communicator = "none"
}

source "libvirt" "only-volume" {
  libvirt_uri  = "qemu:///system"
  communicator = "none"
  volume {
    capacity = "1G"
  }
}

source "libvirt" "which" {
  libvirt_uri  = "qemu:///system"
  communicator = "none"
  volume {
    capacity = "1G"
  }
  volume {
    alias = "data"
    name  = "data"
  }
}

source "libvirt" "empty" {
  libvirt_uri  = "qemu:///system"
  communicator = "none"
  volume {
    alias = "artifact"
  }
  volume {
    alias = "existing"
  }
  volume {
    capacity = "0"
    name     = "nothing"
  }
}

source "libvirt" "medium" {
  libvirt_uri  = "qemu:///system"
  communicator = "none"
  volume {
    alias    = "artifact"
    capacity = "1G"
    device   = "cdrom"
  }
}
