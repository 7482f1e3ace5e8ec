# Every example of the documentation that is a part of a source.

data "sshkey" "install" {
}

source "libvirt" "examples" {
  volume {
    target_dev = "sda"
    bus        = "sata"

    pool = "default"
    name = "custom-image"

    source {
      type = "backing-store"

      pool   = "base-images"
      volume = "ubuntu-22.04-lts"
    }
    capacity = "20G"
  }

  volume {
    target_dev = "sda"
    bus        = "sata"

    pool = "default"
    name = "custom-image"

    source {
      type = "cloning"

      pool   = "base-images"
      volume = "ubuntu-22.04-lts"
    }
  }

  volume {
    target_dev = "sdb"
    bus        = "sata"
    source {
      type = "cloud-init"

      meta_data = jsonencode({
        "instance-id" = "i-abcdefghijklm"
        "hostname"    = "my-packer-builder"
      })

      user_data =  format("#cloud-config\n%s", jsonencode({
        packages = [
              "qemu-guest-agent",
          ]
          runcmd = [
              ["systemctl", "enable", "--now", "qemu-guest-agent"],
          ]
          ssh_authorized_keys = [
              data.sshkey.install.public_key,
          ]
      }))

      network_config = jsonencode({
        version = 2
          ethernets = {
              eth = {
                  match = {
                      name = "en*"
                  }
                  dhcp4 = true
              }
          }
      })
    }
  }

  volume {
    alias = "artifact"

    pool = "base-images"
    name = "ubuntu-22.04-lts"

    source {
      type     = "external"
      urls     = ["https://cloud-images.ubuntu.com/jammy/current/jammy-server-cloudimg-amd64-disk-kvm.img"]
      checksum = "2a0d8745dee674a7f3038d627d39ff68e5d7276f97866a4abd9ebfcb3df5fa05"
    }

    format = "qcow2"

    capacity = "1G"

    bus        = "sata"
    target_dev = "sda"
  }

  volume {
    alias = "unattend"

    device = "floppy"

    source {
      type = "files"
      label = "unattend"
      contents = {
        "Unattend.xml" = templatefile("${path.root}/Unattend.xml.tmpl", {ComputerName = "MyMachine"})
      }
    }
  }

  volume {
    alias = "drivers"
    device = "cdrom"

    source {
      type = "files"
      label = "drivers"
      files = ["./drivers/*"]
    }
  }

  network_interface {
    type    = "managed"
    network = "my-managed-network"
  }

  network_interface {
    type   = "bridge"
    bridge = "br0"
  }
}
