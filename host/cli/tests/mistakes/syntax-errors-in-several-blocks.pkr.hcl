variable "memory" {
  default = 1024,
}

locals {
  name = "guest
}

source "libvirt" "example" {
  libvirt_uri            = "qemu:///system"
  memory                 = var.memory
  domain_name            = local.name
  vcup                   = 2
  network_address_source = "lease"
  network_interface {
    type  = "managed"
    alias = "communicator"
  }
  communicator {
    ssh_username = "root"
    ssh_password = "packer"
  }
  volume {
    alias    = "artifact"
    capacity = "1G"
  }
}

build {
  sources = ["source.libvirt.example"]
  provisioner "shell" {
    inline = ["one" "two"]
  }
  provisioner "shell" {
    inlien = ["three"]
  }
  provisioner "shell" {
    inline = 'four'
  }
}
