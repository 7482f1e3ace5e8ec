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
    alias = "artifact"
    source {
      type     = "external"
      url      = ["https://example.org/x.qcow2"]
      checksum = "none"
    }
  }
}

build {
  sources = ["source.libvirt.example"]
}
