# The documentation's example of a volume, in the smallest source that can hold it.

data "sshkey" "install" {
}

source "libvirt" "example" {
  libvirt_uri = "qemu:///system"

  network_interface {
    type    = "managed"
    network = "my-managed-network"
  }

  communicator {
    communicator = "ssh"
    ssh_username = "root"
    ssh_password = "packer"
  }

  volume {
    alias    = "artifact"
    capacity = "1G"
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
}

build {
  sources = ["source.libvirt.example"]
}
