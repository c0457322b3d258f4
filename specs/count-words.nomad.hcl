variable "text" {
  type = string
}

job "count-words" {
  type = "batch"

  group "count" {
    task "count" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "printf '%s words\n' \"$(printf '%s' \"$TEXT\" | wc -w)\""]
      }

      env {
        TEXT = var.text
      }

      resources {
        cpu    = 20
        memory = 32
      }
    }
  }
}
