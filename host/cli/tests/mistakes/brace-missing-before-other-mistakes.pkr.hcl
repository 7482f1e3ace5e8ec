source "libvirt" "example" {
  libvirt_uri            = "qemu:///system"
  network_address_source = "lease"
  network_interface {
    type  = "managed"
    alias = "communicator"
  }
  communicator {
    ssh_username = "root"
    ssh_password = "packer"
  }
  volume {
    alias    = "artifact"
    capacity = "1G"
  
  }

source "libvirt" "second" {
  libvirt_uri = "qemu:///system"
  memory      = "much"
  communicator {
    communicator = "none"
  }
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}

build {
  sources = ["source.libvirt.example", "source.libvirt.second"]
}
