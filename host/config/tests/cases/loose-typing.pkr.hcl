# Templates in the wild write values in other types, and rely on null and "" being nothing.
variable "firmware" {
  default = ""
}

variable "clone" {
  default = false
}

source "libvirt" "loose" {
  libvirt_uri   = "qemu:///system"
  vcpu          = "4"
  memory        = "2048"
  secure_boot   = "false"
  loader_path   = var.firmware
  loader_type   = var.firmware
  chipset       = null
  shutdown_mode = null
  boot_devices  = "hd"

  communicator {
    ssh_host       = "192.0.2.1"
    ssh_port       = "1011"
    ssh_username   = 1000
    ssh_agent_auth = "true"
  }
  network_interface {
    type = "managed"
    mac  = null
  }
  volume {
    alias    = "artifact"
    readonly = "true"
    capacity = 10737418240
    name     = ""
    source {
      type   = var.clone ? "cloning" : "external"
      urls   = var.clone ? null : "https://example.com/image"
      volume = var.clone ? "base" : null
      checksum = null
    }
  }
}

build {
  sources = ["libvirt.loose"]

  provisioner "shell" {
    inline           = "true"
    valid_exit_codes = ["0", "1"]
    env              = { COUNT = 3, QUIET = true, NOTHING = null }
    script           = null
  }
}
