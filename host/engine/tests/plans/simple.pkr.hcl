# The documentation's simple example, with an image of this test's.
source "libvirt" "example" {
  libvirt_uri = "qemu:///system"

  vcpu   = 1
  memory = 846

  network_interface {
    type  = "managed"
    alias = "communicator"
    mac   = "52:54:00:00:00:01"
  }

  communicator {
    communicator         = "ssh"
    ssh_username         = "ubuntu"
    ssh_private_key_file = "key"
  }
  network_address_source = "lease"

  volume {
    alias = "artifact"

    source {
      type     = "external"
      urls     = ["disk.raw"]
      checksum = "none"
    }

    capacity   = "10G"
    target_dev = "sda"
    bus        = "sata"
  }

  volume {
    source {
      type      = "cloud-init"
      user_data = "#cloud-config\n"
    }

    target_dev = "sdb"
    bus        = "sata"
  }
  shutdown_mode = "acpi"
}

build {
  sources = ["source.libvirt.example"]
}
