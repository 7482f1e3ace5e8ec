variable "memory" { default = "1024" }
variable "unset" {}
source "libvirt" "example" {
  libvirt_uri            = "qemu:///system"
  vcup                   = 2
  memory                 = var.memroy
  domain_name            = "{{ nonsense }}"
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
    capacity = "much"
  }
}

build {
  sources = ["source.libvirt.example"]
  provisioner "shell" {
    inlien = ["true"]
  }
  post-processor "compress" {
    output = "x.gz"
  }
}
