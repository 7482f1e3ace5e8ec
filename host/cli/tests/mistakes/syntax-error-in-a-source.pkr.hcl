source "libvirt" "broken" {
  libvirt_uri = "qemu:///system",
}

source "libvirt" "example" {
  libvirt_uri            = "qemu:///system"
  memory                 = var.memroy
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
  sources = ["source.libvirt.broken", "source.libvirt.example"]
  provisioner "shell" {
    only   = ["libvirt.broken"]
    inline = ["true"]
  }
}
