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
    alias = "unattend"

    device = "floppy"

    source {
      type = "files"
      label = "unattend"
      contents = {
        "Unattend.xml" = templatefile("${path.root}/Unattend.xml.tmpl", {ComputerName = "MyMachine"})
      }
    }
  }
}

build {
  sources = ["source.libvirt.example"]
}
