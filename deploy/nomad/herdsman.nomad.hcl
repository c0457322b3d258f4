# Herdsman as a job of the Nomad that it keeps.
#
#   nomad acl policy apply -namespace default -job herdsman -group herdsman -task herdsman \
#     herdsman policy.hcl
#   nomad job run -var image=REGISTRY/herdsman:0.1.0 -var git_image=REGISTRY/git-sync:v4.4.2 \
#     -var specs_repo=https://HOST/fleet.git herdsman.nomad.hcl
#
# Three tasks in one network namespace: Herdsman, which listens on loopback only; git-sync, which keeps the specs as a
# branch has them; and a proxy that lets health and metrics out, and nothing else. The CLI is in there too:
#
#   nomad alloc exec -job -task herdsman herdsman herdsman get

variable "image" {
  type        = string
  description = "The image that deploy/docker/Dockerfile makes, with its tag or, better, its digest."
}

variable "namespace" {
  type        = string
  default     = "default"
  description = "The Nomad namespace that Herdsman itself runs in; policy.hcl is applied to the job there."
}

variable "datacenters" {
  type    = list(string)
  default = ["*"]
}

variable "specs_repo" {
  type        = string
  description = "The Git repository of the specs. Username and password, where it asks for them: see the task git."
}

variable "specs_ref" {
  type        = string
  default     = "main"
  description = "Branch, tag or commit."
}

variable "specs_path" {
  type        = string
  default     = "specs"
  description = "The directory of the specs within the repository; \".\" is all of it."
}

variable "git_image" {
  type        = string
  description = "git-sync, version 4: the image that the project kubernetes/git-sync publishes."
}

variable "proxy_image" {
  type        = string
  description = "HAProxy, 2.6 or later."
  default     = "haproxy:3.2-alpine"
}

job "herdsman" {
  namespace   = var.namespace
  datacenters = var.datacenters
  type        = "service"

  group "herdsman" {
    # One, and no canary: nothing elects a leader. Two would do no harm, only the work twice.
    count = 1

    update {
      max_parallel     = 1
      canary           = 0
      health_check     = "checks"
      min_healthy_time = "10s"
      healthy_deadline = "3m"
      auto_revert      = true
    }

    restart {
      attempts = 3
      interval = "10m"
      delay    = "15s"
      mode     = "delay"
    }

    reschedule {
      unlimited      = true
      delay          = "30s"
      delay_function = "exponential"
      max_delay      = "10m"
    }

    # State moves along to the next allocation, but not from a node that died: then history, suspensions, approvals and
    # adoptions without a stamp are lost, and everything else is learnt from Nomad again. Where people suspend by hand,
    # take a host volume: a `volume` block here, a `volume_mount` in the task herdsman, and HERDSMAN_STATE set to it.
    ephemeral_disk {
      size    = 300
      sticky  = true
      migrate = true
    }

    network {
      mode = "bridge"

      port "metrics" {
        to = 9180
      }
    }

    # Prometheus finds it by this name: ../prometheus/scrape-nomad.yaml.
    service {
      name     = "herdsman"
      port     = "metrics"
      provider = "nomad"

      check {
        type     = "http"
        path     = "/healthz"
        interval = "10s"
        timeout  = "3s"
      }
    }

    task "herdsman" {
      driver = "docker"

      # Ask, wait for looks under way (up to 25 s), then kill.
      kill_timeout = "30s"

      # Its token, in secrets/nomad_token: it may do what policy.hcl allows this task, while the allocation lives. Not
      # in NOMAD_TOKEN, because an environment shows in more places than a file.
      identity {
        file = true
      }

      env {
        # Nomad's Task API: a socket, so neither address nor certificates to know.
        NOMAD_ADDR                = "unix://${NOMAD_SECRETS_DIR}/api.sock"
        HERDSMAN_NOMAD_TOKEN_FILE = "${NOMAD_SECRETS_DIR}/nomad_token"
        HERDSMAN_SPECS            = "${NOMAD_ALLOC_DIR}/data/git/current/${var.specs_path}"
        HERDSMAN_STATE            = "${NOMAD_ALLOC_DIR}/data/herdsman"
        HERDSMAN_LISTEN           = "127.0.0.1:8080"
        HERDSMAN_LOG_FORMAT       = "json"
      }

      config {
        image           = var.image
        readonly_rootfs = true
        cap_drop        = ["all"]
        security_opt    = ["no-new-privileges"]
        pids_limit      = 200
      }

      resources {
        cpu        = 200
        memory     = 256
        memory_max = 512
      }
    }

    # The specs without git: leave this task out, mount a volume, and set HERDSMAN_SPECS to where it is.
    task "git" {
      driver = "docker"

      lifecycle {
        hook    = "prestart"
        sidecar = true
      }

      # Each commit is a directory of its own, and `current` leads to the newest: Herdsman sees the whole of a commit.
      env {
        GITSYNC_REPO   = var.specs_repo
        GITSYNC_REF    = var.specs_ref
        GITSYNC_ROOT   = "${NOMAD_ALLOC_DIR}/data/git"
        GITSYNC_LINK   = "current"
        GITSYNC_DEPTH  = "1"
        GITSYNC_PERIOD = "15s"
        # Where the repository is away, go on trying: Herdsman keeps what was there last.
        GITSYNC_MAX_FAILURES = "-1"
      }

      # nomad var put nomad/jobs/herdsman/herdsman/git username=... password=...
      template {
        destination = "secrets/git.env"
        env         = true
        data        = <<-EOT
          {{ if nomadVarExists "nomad/jobs/herdsman/herdsman/git" }}
          {{ with nomadVar "nomad/jobs/herdsman/herdsman/git" }}
          GITSYNC_USERNAME={{ printf "%s" .username | toJSON }}
          GITSYNC_PASSWORD={{ printf "%s" .password | toJSON }}
          {{ end }}
          {{ end }}
        EOT
      }

      config {
        image        = var.git_image
        cap_drop     = ["all"]
        security_opt = ["no-new-privileges"]
      }

      resources {
        cpu    = 50
        memory = 96
      }
    }

    # Herdsman believes who reaches it, so this is all that others reach.
    task "proxy" {
      driver = "docker"

      template {
        destination = "local/haproxy.cfg"
        data        = <<-EOT
          global
            log stdout format raw local0 notice

          defaults
            mode http
            log global
            timeout connect 2s
            timeout client 10s
            timeout server 10s

          frontend outside
            bind :9180
            http-request deny deny_status 404 unless { path /healthz /readyz /metrics }
            http-request deny deny_status 405 unless METH_GET
            http-request set-header Host 127.0.0.1:8080
            http-request del-header Origin
            default_backend herdsman

          backend herdsman
            server herdsman 127.0.0.1:8080
        EOT
      }

      config {
        image           = var.proxy_image
        args            = ["haproxy", "-f", "${NOMAD_TASK_DIR}/haproxy.cfg"]
        readonly_rootfs = true
        cap_drop        = ["all"]
        security_opt    = ["no-new-privileges"]
        ports           = ["metrics"]
      }

      resources {
        cpu    = 50
        memory = 64
      }
    }
  }
}
