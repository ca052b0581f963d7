variable "name" {
  type = string
}

# A module in a module, as stacks have them.
module "bucket" {
  source = "../bucket"

  name = "${var.name}-lake"
}
