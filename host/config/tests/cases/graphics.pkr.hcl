source "libvirt" "graphics" {
  libvirt_uri  = "qemu:///system"
  communicator = "none"
  graphics {
    type = "vnc"
  }
  graphics {
    type = "sdl"
  }
  graphics {
    type    = "sdl"
    display = ":0"
    port    = 5900
  }
  graphics {
    type    = "vnc"
    display = ":0"
  }
  graphics {
    type = "hologram"
  }
  graphics {}
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}
