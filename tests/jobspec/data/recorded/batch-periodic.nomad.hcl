
job "nightly" {
  type = "batch"
  periodic {
    crons            = ["0 2 * * *"]
    prohibit_overlap = true
    time_zone        = "Europe/Madrid"
  }
  parameterized { payload = "optional" }
  group "g" {
    ephemeral_disk { size = 500 }
    task "t" {
      driver = "exec"
      config { command = "date" }
      artifact {
        source      = "git::https://example.org/r.git"
        destination = "local/r"
        options { depth = "1" }
      }
      lifecycle {
        hook    = "prestart"
        sidecar = false
      }
      logs {
        max_files     = 2
        max_file_size = 4
      }
    }
  }
}
