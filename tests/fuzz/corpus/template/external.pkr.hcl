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
    alias = "artifact"

    pool = "base-images"
    name = "ubuntu-22.04-lts"

    source {
      type     = "external"
      urls     = ["https://cloud-images.ubuntu.com/jammy/current/jammy-server-cloudimg-amd64-disk-kvm.img"]
      checksum = "2a0d8745dee674a7f3038d627d39ff68e5d7276f97866a4abd9ebfcb3df5fa05"
    }

    format = "qcow2"

    capacity = "1G"

    bus        = "sata"
    target_dev = "sda"
  }
}

build {
  sources = ["source.libvirt.example"]
}
