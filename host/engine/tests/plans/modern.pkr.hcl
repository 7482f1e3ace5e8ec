# Firmware and TPM by one word each, every kind of graphics, disks by their paths, XML of the user's own.
source "libvirt" "example" {
  libvirt_uri            = "qemu:///system"
  domain_name            = "modern"
  chipset                = "q35"
  firmware               = "efi"
  secure_boot            = true
  tpm                    = "2.0"
  video                  = "vga"
  network_address_source = "lease"
  communicator_interface = "lan"
  artifact_volume_alias  = "root"

  domain_xml_overlay = [<<-XML
    <domain>
      <cpu mode="host-model"/>
    </domain>
  XML
  ]

  network_interface {
    type = "user"
    mac  = "52:54:00:00:00:02"
    port_forward {
      protocol   = "udp"
      address    = "127.0.0.2"
      host_port  = 5353
      guest_port = 53
    }
  }

  network_interface {
    type    = "managed"
    network = "default"
    alias   = "lan"
    mac     = "52:54:00:00:00:01"
  }

  network_interface {
    type   = "direct"
    device = "eth0"
    mode   = "vepa"
    mac    = "52:54:00:00:00:03"
  }

  graphics {
    type   = "spice"
    listen = "127.0.0.2"
  }

  graphics {
    type     = "vnc"
    password = "hush"
  }

  graphics {
    type    = "sdl"
    display = ":1"
  }

  communicator {
    ssh_username = "root"
    ssh_password = "hush"
  }

  volume {
    alias     = "root"
    capacity  = "1G"
    attach_as = "file"
  }

  volume {
    alias     = "data"
    name      = "base"
    attach_as = "file"
  }
}

build {
  sources = ["libvirt.example"]
}
