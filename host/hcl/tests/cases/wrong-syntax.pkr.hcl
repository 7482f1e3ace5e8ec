source "libvirt" "x" {
  name = "x
  bus  = "sata"
}
