# Overlays and clones, a floppy, an existing volume, and two cloud-init discs.
source "libvirt" "example" {
  libvirt_uri            = "qemu:///system"
  domain_name            = "volumes"
  firmware               = "bios"
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
    capacity = "3M"
    source {
      type   = "cloning"
      volume = "base"
    }
  }

  volume {
    alias = "overlay"
    source {
      type   = "backingstore"
      pool   = "default"
      volume = "base"
    }
  }

  volume {
    source {
      type = "cloudinit"
    }
  }

  volume {
    source {
      type = "cloud-init"
    }
  }

  volume {
    device = "floppy"
    alias  = "unattend"
    source {
      type     = "files"
      contents = { "Unattend.xml" = "<unattend/>" }
    }
  }

  volume {
    name     = "base"
    readonly = "true"
    bus      = "usb"
  }
}

build {
  sources = ["libvirt.example"]
}
