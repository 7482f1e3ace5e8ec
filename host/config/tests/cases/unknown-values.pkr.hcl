# Nothing is said of what will only be known when the build runs.
data "external" "site" {}

locals {
  site = data.external.site.result
}

source "libvirt" "everything" {
  libvirt_uri            = local.site.uri
  domain_name            = local.site.name
  memory                 = local.site.memory
  vcpu                   = local.site.vcpu
  boot_devices           = ["hd", local.site.boot]
  network_address_source = local.site.addresses
  artifact_volume_alias  = local.site.artifact
  loader_path            = local.site.firmware
  loader_type            = "pflash"
  nvram_template         = local.site.variables

  ssh_host             = local.site.host
  ssh_port             = local.site.port
  ssh_username         = local.site.user
  ssh_private_key_file = local.site.key

  network_interface {
    type   = "bridge"
    bridge = local.site.bridge
    mac    = local.site.mac
    alias  = local.site.alias
  }
  network_interface {
    type = "user"
    port_forward {
      address    = local.site.address
      guest_port = local.site.port
    }
  }
  graphics {
    type    = "sdl"
    display = local.site.display
  }
  volume {
    name     = local.site.name
    capacity = local.site.capacity
    bus      = local.site.bus
    device   = local.site.device
    source {
      type     = "external"
      urls     = local.site.urls
      checksum = "sha256:${local.site.checksum}"
    }
  }
  volume {
    alias = local.site.alias
  }
  volume {
    source {
      type = local.site.source
      urls = ["https://example.com/image"]
    }
  }
}

# The only volume, which may or may not have the alias; the only interface, likewise.
source "libvirt" "alone" {
  libvirt_uri    = "qemu:///system"
  communicator   = local.site.communicator
  ssh_agent_auth = local.site.agent

  network_interface {
    type  = local.site.type
    alias = local.site.alias
  }
  volume {
    alias    = local.site.alias
    capacity = local.site.capacity
  }
}

source "libvirt" "forwarded" {
  libvirt_uri    = "qemu:///session"
  ssh_username   = "root"
  ssh_agent_auth = local.site.agent

  network_interface {
    type  = "user"
    alias = "communicator"
    port_forward {
      guest_port = local.site.port
    }
  }
  volume {
    alias    = "artifact"
    capacity = local.site.capacity
  }
}

build {
  sources = ["libvirt.everything"]

  provisioner "shell" {
    inline           = local.site.commands
    environment_vars = ["NAME=${local.site.name}", local.site.variable]
  }
  provisioner "file" {
    content     = local.site.content
    destination = local.site.destination
    direction   = local.site.direction
  }
}
