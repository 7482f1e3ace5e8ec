# Numbers, sizes and durations that are none.
source "libvirt" "numbers" {
  libvirt_uri      = "qemu:///system"
  communicator     = "none"
  memory           = 0
  vcpu             = "two"
  shutdown_timeout = "5 minutes"
  ssh_timeout      = 30
  ssh_port         = 70000
  secure_boot      = "yes"

  volume {
    alias    = "artifact"
    capacity = "10X"
    size     = "1.5"
  }
  volume {
    name     = "large"
    capacity = "16E"
    size     = "G"
    readonly = ["true"]
  }
}

source "libvirt" "fractions" {
  libvirt_uri      = "qemu:///system"
  communicator     = "none"
  memory           = 1.5
  vcpu             = -1
  shutdown_timeout = "-5m"

  volume {
    alias    = "artifact"
    capacity = -1
  }
}
