locals {
  a = local.b
  b = "${local.c}!"
  c = [local.a]
  d = data.echo.x.name
  d2 = local.d
}

local "a" {
  expression = 1
}

data "echo" "x" {
  name = local.d2
}

data "broken" "y" {}

source "t" "t" {}
source "t" "t" {}

build {
  sources = ["t.t", "source.t.t"]
}
