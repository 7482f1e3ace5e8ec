# What is known and will stay unsupported is named as such. What this version only lacks for now is
# marked in the declarations, and tested there.
source "libvirt" "wishes" {
  libvirt_uri   = "qemu:///system"
  communicator  = "none"
  ssh_interface = "public_ip"
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
    env_var_format    = ""
  }
  provisioner "ansible" {
    playbook_file = "site.yml"
  }
  provisioner "shel" {
    inline = ["true"]
  }
}
