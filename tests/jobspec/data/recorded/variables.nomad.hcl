
variable "image" { type = string }
variable "count" {
  type    = number
  default = 2
}
variable "tags" {
  type    = list(string)
  default = ["x", "y"]
}
locals {
  full = "${var.image}:latest"
  up   = upper("abc")
}
job "vars" {
  group "g" {
    count = var.count
    service {
      name     = "svc-${lower("LOUD")}"
      provider = "nomad"
      tags     = concat(var.tags, ["z"])
    }
    task "t" {
      driver = "docker"
      config {
        image = local.full
        args  = [for t in var.tags : "--tag=${t}"]
      }
      env {
        UP    = local.up
        JOIN  = join(",", var.tags)
        COND  = var.count > 1 ? "many" : "one"
        FMT   = format("%s-%03d", "n", var.count)
        JSON  = jsonencode({ a = 1, b = [true, null] })
        LEFT  = "${attr.unique.hostname}"
        ESC   = "$${literal}"
      }
    }
  }
}
