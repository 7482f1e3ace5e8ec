# Templates in the wild write values in other types, and rely on null and "" being nothing.
variable "firmware" {
  default = ""
}

variable "clone" {
  default = false
}

variable "cpus" {
  type    = string
  default = 4
}

variable "mirrors" {
  default = ["https://example.com/image", "https://example.org/image"]
}

variable "interface" {
  default = "managed"
}

source "libvirt" "loose" {
  libvirt_uri   = "qemu:///system"
  vcpu          = var.cpus
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
    type    = var.interface
    network = var.interface == "managed" ? "default" : null
    bridge  = var.interface == "bridge" ? "br0" : ""
    mac     = null
  }
  volume {
    alias    = "artifact"
    readonly = 1
    capacity = 10737418240
    name     = ""
    source {
      type   = var.clone ? "cloning" : "external"
      urls   = var.clone ? null : "${var.mirrors}"
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
