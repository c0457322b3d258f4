variable "schedule" {
  type = string
}

variable "targets" {
  type = list(string)
}

job "nightly-backup" {
  namespace = "payments"
  type      = "batch"

  periodic {
    crons            = [var.schedule]
    prohibit_overlap = true
    time_zone        = "Europe/Madrid"
  }

  group "backup" {
    task "copy" {
      driver = "docker"

      config {
        image = "images.example.org/backup:2.0"
        args  = var.targets
      }
    }
  }
}
