top = 1

varialbe "x" {}

variable "y" {
  defualt   = 1
  sensitive = true
}

local "z" {
  value = 1
}

source "libvirt" {
}

build {
  source = ["libvirt.x"]

  provisoner "shell" {
    inline = []
  }

  provisioner {
  }
}

source "t" "t" {
  dynamic "volume" {
    foreach = [1]
    content {}
  }
}
