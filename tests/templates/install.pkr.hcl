# Installs a disk from a CD that asks what to set up, and fetches that from lvhost.

variable "uri" { type = string }
variable "pool" { type = string }
variable "domain_type" { type = string }
variable "domain" { type = string }
variable "disc" { type = string }
variable "disk" { type = string }

source "libvirt" "install" {
  libvirt_uri  = var.uri
  domain_type  = var.domain_type
  domain_name  = var.domain
  memory       = 256
  boot_devices = ["cdrom"]
  console_log  = "console.log"

  # Typed again until the guest is off. What comes too early or too late is refused by the disc's
  # prompt, and nobody reads it once the kernel runs.
  boot_wait         = "2s"
  boot_key_interval = "30ms"
  key_hold_time     = "20ms"
  boot_command = [
    for number in range(40) :
    "<enter>install setup=http://{{ .HTTPIP }}:{{ .HTTPPort }}/setup.sh<enter><wait10s>"
  ]
  http_content = {
    "/setup.sh" = <<-SCRIPT
      echo "the answer is $((6 * 7))" > /root/answer
      poweroff
    SCRIPT
  }
  shutdown_timeout = "5m"
  output_directory = "installed"

  network_interface {
    type = "managed"
  }

  communicator {
    communicator = "none"
  }

  # Keys are typed into a screen's keyboard.
  graphics {
    type = "vnc"
  }

  volume {
    alias = "artifact"
    pool  = var.pool
    name  = "installed.qcow2"

    source {
      type     = "external"
      urls     = [var.disk]
      checksum = "none"
    }
  }

  volume {
    pool   = var.pool
    device = "cdrom"

    source {
      type     = "external"
      urls     = [var.disc]
      checksum = "none"
    }
  }
}

build {
  sources = ["source.libvirt.install"]
}
