# A template that uses as much of the language as fits, the way templates in the wild do.
packer {
  required_version = ">= 1.9.0"
  required_plugins {
    libvirt = {
      version = " >= 0.5.0 "
      source  = "github.com/thomasklein94/libvirt"
    }
  }
}

variable "image-name" {
  type        = string
  default     = 22
  description = "dashes are part of names"
}

variable "versions" {
  type    = list(object({ name = string, memory = optional(number, 512) }))
  default = [{ name = "jammy" }, { name = "noble", memory = "1024" }]
  validation {
    condition     = length(var.versions) > 0
    error_message = "There must be a version."
  }
}

variable "password" {
  default   = env("GREETING")
  sensitive = true
}

variables {
  disk_size = "10G"
  headless  = true
}

locals {
  name     = "${var.image-name}-${local.stamp}"
  stamp    = formatdate("YYYYMMDD", timestamp())
  packages = concat(["qemu-guest-agent"], local.extra)
  extra    = [for v in var.versions : "pkg-${v.name}" if v.memory > 600]
  key      = data.sshkey.install.public_key
  script   = <<-EOT
    #!/bin/sh
    %{~ for package in local.packages }
    apt-get install -y ${package}
    %{~ endfor }
    echo "{{ user `x` }}" $${HOME}
  EOT
}

local "token" {
  expression = "t-${var.password}"
  sensitive  = true
}

data "sshkey" "install" {
}

data "echo" "facts" {
  name = local.name
}

source libvirt base {
  libvirt_uri = "qemu:///system"
  vcpu        = "4"
  memory      = max(var.versions[*].memory...)

  communicator {
    communicator         = "ssh"
    ssh_private_key_file = data.sshkey.install.private_key_path
    ssh_password         = var.password
  }

  dynamic "volume" {
    for_each = { artifact = "virtio", seed = "sata" }
    iterator = disk
    content {
      alias = disk.key
      bus   = disk.value
      dynamic "source" {
        for_each = disk.key == "seed" ? [1] : []
        content {
          type = "cloud-init"
          user_data = format("#cloud-config\n%s", jsonencode({
            packages            = local.packages
            ssh_authorized_keys = [local.key]
          }))
        }
      }
    }
  }
}

source "libvirt" "empty" {}

build {
  name        = "images"
  description = data.echo.facts.name
  sources     = ["source.libvirt.base"]

  source "libvirt.empty" {
    name        = "filled"
    libvirt_uri = "test:///default"
    volume {
      alias = "artifact"
    }
  }

  dynamic "source" {
    for_each = var.versions
    labels   = ["sources.libvirt.empty"]
    content {
      name   = source.value.name
      memory = source.value.memory
    }
  }

  provisioner "shell" {
    only         = ["libvirt.base"]
    pause_before = "10s"
    max_retries  = 3
    timeout      = "5m"
    continue_on_error = true
    inline       = ["echo ${build.Host}:${build.Port}", "echo ${source.name} of ${source.type}"]
    env          = { TOKEN = local.token }
    override = {
      base = { inline = ["true"] }
    }
  }

  dynamic "provisioner" {
    for_each = ["a", "b"]
    labels   = ["file"]
    content {
      source      = "${provisioner.value}.txt"
      destination = "/tmp/"
    }
  }

  error-cleanup-provisioner "shell-local" {
    inline = ["echo failed ${build.ID}"]
  }

  post-processor "manifest" {
    output = "manifest.json"
  }

  post-processors {
    post-processor "shell-local" {
      inline              = ["echo ${build.PackerRunUUID}"]
      keep_input_artifact = true
    }
    post-processor "manifest" {
      except = ["libvirt.base"]
    }
  }
}
