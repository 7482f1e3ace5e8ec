# Options written as blocks, blocks written as options, labels where none belong.
source "libvirt" "swapped" {
  libvirt_uri = "qemu:///system"
  communicator = "none"
  volume = [{ alias = "artifact" }]
  boot_devices {}

  network_interface "lan" {
    type         = "managed"
    port_forward = []
  }
  volume {
    alias    = "artifact"
    capacity = "1G"
    source   = "external"
  }
  volume {
    source {
      type = "files"
      contents {
        name = "a.txt"
      }
      drivers {}
    }
    source {
      type = "files"
    }
  }
}
