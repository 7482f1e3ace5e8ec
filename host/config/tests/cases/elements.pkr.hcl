# The caret is on the element that is wrong.
source "libvirt" "elements" {
  libvirt_uri  = "qemu:///system"
  communicator = "none"
  boot_devices = [
    "hd",
    "netwrok",
  ]
  volume {
    alias = "artifact"
    source {
      type = "external"
      urls = [
        "https://example.com/image",
        { url = "https://example.org/image" },
      ]
    }
  }
  volume {
    source {
      type = "files"
      contents = {
        "a.txt" = "text"
        "b.txt" = ["text"]
      }
      label = ["OEMDRV"]
    }
  }
  volume {
    source {
      type  = "files"
      files = { name = "x" }
    }
  }
}

build {
  sources = ["libvirt.elements"]

  provisioner "shell" {
    inline           = ["true", ["false"]]
    valid_exit_codes = [0, "one"]
    environment_vars = ["A=1", "hunter2"]
    env              = "A=1"
  }
}
