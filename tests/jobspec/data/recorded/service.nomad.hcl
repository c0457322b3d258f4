
job "web" {
  datacenters = ["dc1"]
  type        = "service"
  meta { owner = "me" }
  constraint {
    attribute = "${attr.kernel.name}"
    value     = "linux"
  }
  update {
    max_parallel      = 2
    min_healthy_time  = "5s"
    healthy_deadline  = "2m"
    progress_deadline = "10m"
    auto_revert       = true
    canary            = 1
  }
  group "web" {
    count = 3
    network {
      port "http" { to = 8080 }
      port "fixed" { static = 9999 }
    }
    service {
      name     = "web"
      port     = "http"
      provider = "nomad"
      tags     = ["a", "b"]
      check {
        type     = "http"
        path     = "/"
        interval = "10s"
        timeout  = "2s"
      }
    }
    restart {
      attempts = 2
      interval = "30m"
      delay    = "15s"
      mode     = "fail"
    }
    task "server" {
      driver = "docker"
      config {
        image = "nginx:1"
        ports = ["http"]
        volumes = ["a:b", "c:d"]
        mount {
          type   = "bind"
          source = "x"
          target = "/y"
        }
      }
      env {
        PORT = "${NOMAD_PORT_http}"
        NAME = "w"
      }
      template {
        data        = <<EOH
key={{ env "A" }}
two
EOH
        destination = "local/f"
        env         = true
      }
      resources {
        cpu    = 100
        memory = 128
        device "nvidia/gpu" {
          count = 2
          constraint {
            attribute = "${device.attr.memory}"
            operator  = ">="
            value     = "2 GiB"
          }
        }
      }
      kill_timeout = "30s"
    }
  }
}
