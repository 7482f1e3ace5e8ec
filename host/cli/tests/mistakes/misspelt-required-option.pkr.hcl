source "libvirt" "example" {
  libvirt_ur             = "qemu:///system"
  network_address_source = "lease"
  network_interface {
    type  = "managed"
    alias = "communicator"
  }
  communicator {
    ssh_usernam  = "root"
    ssh_password = "packer"
  }
  volume {
    alias    = "artifact"
    capacty  = "1G"
  }
}

build {
  sources = ["source.libvirt.example"]
}
