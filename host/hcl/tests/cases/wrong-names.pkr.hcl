variable "memory" {
  default = 512
}

locals {
  size = var.memroy * 2
  name = format("%s-%s", "x", locals.size)
  mode = uper("x")
}

data "sshkey" "install" {}

data "aws_ami" "x" {
  owner = "me"
}

source "libvirt" "example" {
  bus = sata
  key = data.sshkey.instal.public_key
}

build {
  sources = ["source.libvirt.exmaple", "libvirt.example"]

  provisioner "shell" {
    inline = ["echo ${build.Hosst}", "echo ${source.nmae}"]
  }
}
