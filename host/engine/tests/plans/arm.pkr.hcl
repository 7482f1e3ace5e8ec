# Another architecture: no devices that only PCs have.
source "libvirt" "example" {
  libvirt_uri            = "qemu:///system"
  domain_name            = "arm"
  domain_type            = "qemu"
  arch                   = "aarch64"
  chipset                = "virt"
  network_address_source = "lease"

  network_interface {
    type = "managed"
    mac  = "52:54:00:00:00:01"
  }

  communicator {
    ssh_username = "root"
    ssh_password = "hush"
  }

  volume {
    alias    = "artifact"
    capacity = "1G"
  }

  volume {
    source {
      type = "cloud-init"
    }
  }
}

build {
  sources = ["libvirt.example"]
}
