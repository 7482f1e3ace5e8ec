# `ua-` is libvirt's prefix: with or without it, an alias is the same.
source "libvirt" "prefixed" {
  libvirt_uri            = "qemu:///system"
  artifact_volume_alias  = "ua-root"
  communicator_interface = "lan"
  ssh_username           = "root"
  ssh_password           = "123"
  network_interface {
    type = "managed"
  }
  network_interface {
    type  = "managed"
    alias = "ua-lan"
  }
  volume {
    alias    = "root"
    capacity = "1G"
  }
  volume {
    alias = "data"
    name  = "data"
  }
}

source "libvirt" "wrong" {
  libvirt_uri  = "qemu:///system"
  communicator = "none"
  network_interface {
    type  = "managed"
    alias = "data"
  }
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
  volume {
    alias = "ua-data"
    name  = "one"
  }
  volume {
    alias = "my disk"
    name  = "two"
  }
  volume {
    alias = "ua-"
    name  = "three"
  }
}
