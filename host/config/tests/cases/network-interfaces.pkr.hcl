source "libvirt" "user" {
  libvirt_uri  = "qemu:///session"
  ssh_username = "root"
  ssh_password = "123"
  network_interface {
    type = "user"
    port_forward {
      guest_port = 22
      protocol   = "udp"
    }
  }
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}

source "libvirt" "user-with-ssh" {
  libvirt_uri  = "qemu:///session"
  ssh_username = "root"
  ssh_password = "123"
  ssh_port     = 2222
  network_interface {
    type = "user"
    port_forward {
      guest_port = 2222
    }
  }
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}

source "libvirt" "bridge" {
  libvirt_uri            = "qemu:///system"
  network_address_source = "lease"
  ssh_username           = "root"
  ssh_password           = "123"
  network_interface {
    type   = "bridge"
    bridge = "br0"
  }
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}

source "libvirt" "wrong" {
  libvirt_uri  = "qemu:///system"
  communicator = "none"
  network_interface {}
  network_interface {
    type = "bridge"
  }
  network_interface {
    type   = "managed"
    bridge = "br0"
    mac    = "52:54:00:12:34"
    port_forward {
      guest_port = 0
      host_port  = 0
      address    = "localhost"
    }
  }
  network_interface {
    type    = "bridge"
    bridge  = "br0"
    network = "default"
    mac     = "01:00:5e:00:00:01"
  }
  # What follows from a wrong type is not reported.
  network_interface {
    type   = "brigde"
    bridge = "br0"
  }
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}
