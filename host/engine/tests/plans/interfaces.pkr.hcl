# Several interfaces; the communicator goes through the one with its alias.
source "libvirt" "example" {
  libvirt_uri            = "qemu:///system"
  network_address_source = "lease"

  network_interface {
    type   = "bridge"
    bridge = "br0"
    alias  = "outside"
    mac    = "52:54:00:00:00:02"
  }

  network_interface {
    type  = "network"
    alias = "ua-communicator"
    mac   = "52:54:00:00:00:01"
  }

  network_interface {
    type = "user"
    mac  = "52:54:00:00:00:03"
    port_forward {
      host_port  = 2222
      guest_port = 22
    }
  }

  communicator {
    ssh_username = "root"
    ssh_password = "hush"
  }

  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}

build {
  sources = ["libvirt.example"]
}
