# A whole build by Packer itself: its provisioners in a guest, its post-processors on what comes out.

packer {
  required_plugins {
    libvirt = {
      version = ">= 0.5.0"
      source  = "github.com/thomasklein94/libvirt"
    }
  }
}

variable "uri" { type = string }
variable "pool" { type = string }
variable "domain_type" { type = string }
variable "domain" { type = string }
variable "image" { type = string }
variable "checksum" { type = string }
variable "key" { type = string }
variable "public_key" { type = string }

source "libvirt" "guest" {
  libvirt_uri            = var.uri
  domain_type            = var.domain_type
  domain_name            = var.domain
  memory                 = 256
  network_address_source = "lease"
  shutdown_mode          = "acpi"
  output_directory       = "output"
  http_content           = { "/greeting" = "served over http\n" }

  network_interface {
    type  = "managed"
    alias = "communicator"
  }

  communicator {
    communicator         = "ssh"
    ssh_username         = "root"
    ssh_private_key_file = var.key
    ssh_timeout          = "4m"
  }

  volume {
    alias = "artifact"
    pool  = var.pool
    name  = "built.qcow2"

    source {
      type     = "external"
      urls     = [var.image]
      checksum = var.checksum
    }
  }

  volume {
    pool = var.pool

    source {
      type = "cloud-init"
      user_data = format("#cloud-config\n%s", jsonencode({
        ssh_authorized_keys = [var.public_key]
      }))
    }
  }
}

build {
  sources = ["source.libvirt.guest"]

  provisioner "shell" {
    environment_vars = ["GREETING=it's provisioned"]
    inline = [
      "test \"$(id -u)\" = 0",
      "echo on stdout",
      "echo on stderr >&2",
      "echo builder is $PACKER_BUILDER_TYPE",
      "echo \"$GREETING\" > /root/provisioned",
    ]
  }

  provisioner "shell" {
    inline = [
      "echo http is $PACKER_HTTP_ADDR, ip $PACKER_HTTP_IP, port $PACKER_HTTP_PORT",
      "wget -qO- http://$PACKER_HTTP_ADDR/greeting",
    ]
  }

  provisioner "shell" {
    inline           = ["exit 3"]
    valid_exit_codes = [3]
  }

  provisioner "file" {
    source      = "folder"
    destination = "/root"
  }

  provisioner "file" {
    content     = "key of ${build.User} at ${build.Host}:${build.Port}, ${build.SSHPrivateKeyFile}\n"
    destination = "/root/content"
  }

  provisioner "shell" {
    inline = [
      "test \"$(cat /root/folder/inner/file)\" = in-a-folder",
      "grep -q '^key of root at [0-9.]*:22, /' /root/content",
      "sync",
    ]
  }

  provisioner "file" {
    source      = "/root/provisioned"
    destination = "fetched/provisioned"
    direction   = "download"
  }

  provisioner "file" {
    source      = "/root/folder/"
    destination = "fetched/folder/"
    direction   = "download"
  }

  provisioner "shell-local" {
    inline = ["test \"$(cat fetched/provisioned)\" = \"it's provisioned\" && echo here as well, http is $PACKER_HTTP_ADDR"]
  }

  post-processor "checksum" {
    checksum_types = ["sha256"]
    output         = "sums"
  }

  post-processor "manifest" {
    output      = "manifest.json"
    custom_data = { guest = build.ID }
  }
}
