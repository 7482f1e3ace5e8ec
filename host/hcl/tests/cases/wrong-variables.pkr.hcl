variable "unset" {
  type = string
}

variable "typed" {
  type    = lst(string)
  default = []
}

variable "count" {
  type    = number
  default = "many"
}

variable "checked" {
  default = "nope"
  validation {
    condition     = startswith(var.checked, "ami-")
    error_message = "It must start with ami-."
  }
}

variable "from_elsewhere" {
  default = var.checked
}
