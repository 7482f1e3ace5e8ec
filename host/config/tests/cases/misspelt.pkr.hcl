# Everything that is wrong is said at once, with the nearest name.
source "libvirt" "misspelt" {
  libvrt_uri   = "qemu:///system"
  vcpus        = 2
  colour       = "blue"
  ssh_usernme  = "root"
  ssh_pasword  = "123"
  pool         = "default"
  network_address_source = "leases"
  shutdown_mode          = "apci"

  network_interfaces {
    type = "managed"
  }
  network_interface {
    type  = "manged"
    brige = "br0"
    ssh_username = "root"
    port_forwards {}
  }
  volume {
    alais    = "artifact"
    capacity = "1G"
    sources {}
    source {
      type     = "externl"
    }
  }
  volume {
    source {
      type     = "external"
      url      = "https://example.com/image"
      checksm  = "none"
      capacity = "10G"
    }
  }
}
