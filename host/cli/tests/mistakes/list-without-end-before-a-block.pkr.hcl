variable "names" {
  default = ["one", "two"

source "libvirt" "example" {
  libvirt_uri            = "qemu:///system"
  vcup                   = 2
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
}

build {
  sources = ["source.libvirt.example"]
}
