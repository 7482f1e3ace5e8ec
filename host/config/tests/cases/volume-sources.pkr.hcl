source "libvirt" "sources" {
  libvirt_uri  = "qemu:///system"
  communicator = "none"
  volume {
    alias = "artifact"
    source {
      type   = "clone"
      volume = "base"
      # The Go plugin's options are one flat set: this never had an effect.
      urls = ["https://example.com/image"]
    }
  }
  volume {
    source {
      type      = "cloudinit"
      user_data = "#cloud-config"
      pool      = "default"
    }
  }
  volume {
    source {}
  }
  volume {
    source {
      type = "torrent"
    }
  }
  volume {
    source {
      type = "external"
    }
  }
  volume {
    source {
      type = "cloning"
      pool = "base"
    }
  }
}
