# The communicator's options directly in the source, in a block, and in both.
source "libvirt" "flat" {
  libvirt_uri  = "qemu:///system"
  communicator = "ssh"
  ssh_host     = "192.0.2.1"
  ssh_username = "root"
  ssh_password = "123"
  ssh_timeout  = null
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}

source "libvirt" "mixed" {
  libvirt_uri  = "qemu:///system"
  ssh_username = "root"
  communicator {
    ssh_host     = "192.0.2.1"
    ssh_password = "123"
  }
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}

source "libvirt" "twice" {
  libvirt_uri  = "qemu:///system"
  ssh_username = "root"
  communicator {
    ssh_host     = "192.0.2.1"
    ssh_username = "admin"
    ssh_password = "123"
  }
  communicator {
    ssh_port = 22
  }
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}

source "libvirt" "nothing" {
  libvirt_uri = "qemu:///system"
  ssh_host    = null
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}
