
variable "ports" {
  type    = map(number)
  default = { http = 80, admin = 81 }
}
job "dyn" {
  group "g" {
    network {
      dynamic "port" {
        for_each = var.ports
        labels   = [port.key]
        content { to = port.value }
      }
    }
    dynamic "task" {
      for_each = ["one", "two"]
      labels   = [task.value]
      content {
        driver = "raw_exec"
        config {
          command = "echo"
          args    = [task.value]
        }
      }
    }
  }
}
