source "null" "x" {}

build {
  sources = ["null.x"]

  provisioner "shell" {}
  provisioner "shell" {
    inline = []
  }
  provisioner "shell" {
    inline = ["true"]
    script = "a.sh"
  }
  provisioner "shell" {
    script  = "a.sh"
    scripts = ["b.sh"]
    inlin   = ["true"]
  }
  provisioner "shell-local" {}
  provisioner "shell-local" {
    command = "true"
    inline  = ["true"]
  }
  provisioner "file" {
    source = "a"
  }
  provisioner "file" {
    destination = "/tmp/a"
  }
  provisioner "file" {
    source      = "a"
    sources     = ["b"]
    destination = "/tmp/"
    direction   = "up"
  }
  provisioner "file" {
    content     = "text"
    destination = "here"
    direction   = "download"
  }
  provisioner "breakpoint" {
    disabled = true
  }
}
