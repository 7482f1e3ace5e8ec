# The documentation's example of a volume, in the smallest source that can hold it.

source "libvirt" "example" {
  libvirt_uri = "qemu:///system"

  network_interface {
    type   = "bridge"
    bridge = "br0"
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
    target_dev = "sda"
    bus        = "sata"

    pool = "default"
    name = "custom-image"

    source {
      type = "cloning"

      pool   = "base-images"
      volume = "ubuntu-22.04-lts"
    }
  }
}

build {
  sources = ["source.libvirt.example"]
}
