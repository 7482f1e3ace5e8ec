source "libvirt" "no-login" {
  libvirt_uri    = "qemu:///system"
  ssh_host       = "192.0.2.1"
  ssh_agent_auth = false
  ssh_port       = 0
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}

source "libvirt" "no-interface" {
  libvirt_uri  = "qemu:///system"
  ssh_username = "root"
  ssh_password = "123"
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}

source "libvirt" "which-interface" {
  libvirt_uri            = "qemu:///system"
  communicator_interface = "lan"
  ssh_username           = "root"
  ssh_password           = "123"
  network_interface {
    type = "managed"
  }
  network_interface {
    type  = "managed"
    alias = "wan"
  }
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}

# The first one is taken while no alias is named for it.
source "libvirt" "first-interface" {
  libvirt_uri            = "qemu:///system"
  network_address_source = "lease"
  ssh_username           = "root"
  ssh_password           = "123"
  network_interface {
    type = "managed"
  }
  network_interface {
    type  = "managed"
    alias = "wan"
  }
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}

# The only interface is taken, whatever its alias; not if another one is named.
source "libvirt" "named-interface" {
  libvirt_uri            = "qemu:///system"
  communicator_interface = "lan"
  network_address_source = "lease"
  ssh_username           = "root"
  ssh_password           = "123"
  network_interface {
    type = "managed"
  }
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}
source "libvirt" "only-interface" {
  libvirt_uri  = "qemu:///system"
  ssh_username = "root"
  ssh_password = "123"
  network_interface {
    type  = "managed"
    alias = "wan"
  }
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}

source "libvirt" "nothing-to-reach" {
  libvirt_uri  = "qemu:///system"
  communicator = "none"
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}
