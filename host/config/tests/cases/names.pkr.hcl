source "libvirt" "names" {
  libvirt_uri  = "qemu:///system"
  communicator = "none"
  domain_name  = "../etc"

  volume {
    alias    = "artifact"
    capacity = "1G"
    name     = "ubuntu:22.04"
  }
  volume {
    name = "ubuntu:22.04"
  }
  volume {
    pool = "other"
    name = "ubuntu:22.04"
  }
  volume {
    name = " blank"
  }
  volume {
    name = ".."
  }
  volume {
    name = "two\nlines"
  }
  volume {
    name = "éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé"
  }
}

source "libvirt" "long" {
  libvirt_uri  = "qemu:///system"
  communicator = "none"
  domain_name  = "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"

  volume {
    alias    = "artifact"
    capacity = "1G"
    name     = "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"
  }
}
