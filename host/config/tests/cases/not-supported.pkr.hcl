# What Packer has and this version has not is named as such.
source "libvirt" "wishes" {
  libvirt_uri      = "qemu:///system"
  boot_command     = ["<enter>"]
  boot_wait        = null
  shutdown_command = "poweroff"
  ssh_host         = "192.0.2.1"
  ssh_username     = "root"
  ssh_password     = "123"
  ssh_bastion_host = "192.0.2.2"
  communicator {
    ssh_certificate_file = "cert"
    ssh_proxy_host       = null
  }
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}

source "libvirt" "windows" {
  libvirt_uri = "qemu:///system"
  communicator {
    communicator   = "winrm"
    winrm_username = "Administrator"
  }
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}

build {
  sources = ["libvirt.wishes"]

  provisioner "shell-local" {
    command           = "true"
    use_linux_pathing = true
  }
  provisioner "ansible" {
    playbook_file = "site.yml"
  }
  provisioner "shel" {
    inline = ["true"]
  }
}
