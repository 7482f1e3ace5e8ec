# The documentation's example of a volume, in the smallest source that can hold it.

source "libvirt" "example" {
  libvirt_uri = "qemu:///system"

  network_interface {
    type    = "managed"
    network = "my-managed-network"
  }

  communicator {
    communicator = "ssh"
    ssh_username = "root"
    ssh_password = "packer"
  }

  volume {
    alias    = "artifact"
    capacity = "1G"
  }

  volume {
    alias = "drivers"
    device = "cdrom"

    source {
      type = "files"
      label = "drivers"
      files = ["./drivers/*"]
    }
  }
}

build {
  sources = ["source.libvirt.example"]
}
