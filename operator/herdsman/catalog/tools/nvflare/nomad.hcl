# NVFlare: a dashboard where a project of federated learning is set up, and the project's server with JupyterLab.

variable "deployment_id" {
  type = string
}

variable "namespace" {
  type = string
}

variable "owner" {
  type = string
}

variable "catalog_entry" {
  type = string
}

variable "priority" {
  type = number
}

variable "node_type" {
  type = string
}

variable "labelled_nodes" {
  type = bool
}

variable "domain" {
  type = string
}

variable "service_provider" {
  type = string
}

variable "registry" {
  type = string
}

variable "disk_quotas" {
  type = bool
}

variable "secrets_path" {
  type = string
}

variable "title" {
  type = string
}

variable "version" {
  type = string
}

variable "username" {
  type = string
}

variable "app_location" {
  type = string
}

variable "public_project" {
  type = bool
}

variable "starting_date" {
  type = string
}

variable "end_date" {
  type = string
}

variable "cpu_num" {
  type = number
}

variable "ram" {
  type = number
}

variable "disk" {
  type = number
}

locals {
  # A node's own domain is known only where it runs.
  domain = var.labelled_nodes ? "$${meta.domain}-${var.domain}" : var.domain
  host   = "${var.deployment_id}.${local.domain}"

  # The server proves by its own certificate who it is, so the proxy passes on what it cannot read.
  passed_on = { server-fl = "nvflare_fl", server-admin = "nvflare_admin" }
  pages     = ["dashboard", "server-jupyter"]

  # Clients know the server by one name, whatever the port.
  names  = { dashboard = "dashboard-${local.host}", server-jupyter = "server-jupyter-${local.host}" }
  server = "server-${local.host}"

  images = var.registry == "" ? "" : "${var.registry}/"
}

job "deployment" {
  id        = var.deployment_id
  name      = var.deployment_id
  namespace = var.namespace
  type      = "service"
  priority  = var.priority

  # What is in meta never changes: a change of it would replace everything that runs. The title may change in place.
  meta {
    owner         = var.owner
    catalog_entry = var.catalog_entry
  }

  ui {
    description = var.title
  }

  # Only nodes that are fit for work, and for work of this sort.
  dynamic "constraint" {
    for_each = var.labelled_nodes ? { status = "ready", type = var.node_type } : {}

    content {
      attribute = "$${meta.${constraint.key}}"
      value     = constraint.value
    }
  }

  # Only nodes that serve this namespace: one may serve several.
  dynamic "constraint" {
    for_each = var.labelled_nodes ? [var.namespace] : []

    content {
      attribute = "$${meta.namespace}"
      operator  = "set_contains"
      value     = constraint.value
    }
  }

  # It needs no GPU, and leaves the nodes that have one to others, if possible.
  dynamic "affinity" {
    for_each = var.labelled_nodes ? { cpu = 100, gpu = -100 } : {}

    content {
      attribute = "$${meta.tags}"
      operator  = "set_contains_any"
      value     = affinity.key
      weight    = affinity.value
    }
  }

  # What a user works on in a container is on its node: nothing is moved by itself.
  reschedule {
    attempts  = 0
    unlimited = false
  }

  group "usergroup" {
    # Images are large, and take their time.
    update {
      max_parallel      = 1
      health_check      = "task_states"
      min_healthy_time  = "10s"
      healthy_deadline  = "1h"
      progress_deadline = "70m"
    }

    disconnect {
      lost_after = "48h"
      replace    = false
      reconcile  = "keep_original"
    }

    network {
      port "dashboard" {
        to = 80
      }
      port "server-fl" {
        to = 8002
      }
      port "server-admin" {
        to = 8003
      }
      port "server-jupyter" {
        to = 8888
      }
    }

    dynamic "service" {
      for_each = local.pages

      content {
        name     = "${var.deployment_id}-${service.value}"
        port     = service.value
        provider = var.service_provider

        tags = [
          "traefik.enable=true",
          "traefik.http.routers.${var.deployment_id}-${service.value}.tls=true",
          "traefik.http.routers.${var.deployment_id}-${service.value}.rule=Host(`${local.names[service.value]}`) || Host(`www.${local.names[service.value]}`)",
        ]
      }
    }

    dynamic "service" {
      for_each = local.passed_on

      content {
        name     = "${var.deployment_id}-${service.key}"
        port     = service.key
        provider = var.service_provider

        tags = [
          "traefik.enable=true",
          "traefik.tcp.routers.${var.deployment_id}-${service.key}.tls=true",
          "traefik.tcp.routers.${var.deployment_id}-${service.key}.tls.passthrough=true",
          "traefik.tcp.routers.${var.deployment_id}-${service.key}.entrypoints=${service.value}",
          "traefik.tcp.routers.${var.deployment_id}-${service.key}.rule=HostSNI(`${local.server}`)",
        ]
      }
    }

    ephemeral_disk {
      size = var.disk
    }

    task "dashboard" {
      driver = "docker"

      config {
        image      = "${local.images}ai4oshub/ai4os-nvflare-dashboard:${var.version}"
        force_pull = true
        ports      = ["dashboard"]
      }

      env {
        NVFL_SERVER1               = local.server
        NVFL_SERVER2               = ""
        NVFL_HA_MODE               = "False"
        NVFL_OVERSEER              = ""
        NVFL_USERNAME              = var.username
        NVFL_PROJECT_SHORT_NAME    = substr(var.deployment_id, 0, 16)
        NVFL_PROJECT_TITLE         = var.title
        NVFL_PROJECT_APP_LOCATION  = var.app_location
        NVFL_PROJECT_STARTING_DATE = var.starting_date
        NVFL_PROJECT_END_DATE      = var.end_date
        NVFL_PROJECT_PUBLIC        = var.public_project ? "True" : "False"
        NVFL_PROJECT_FROZEN        = "True"
        VARIABLE_NAME              = "app"
      }

      # The project's administrator: name, password and organisation in one.
      template {
        destination = "secrets/dashboard.env"
        env         = true
        data        = "NVFL_CREDENTIAL={{ with nomadVar \"${var.secrets_path}\" }}{{ printf \"%s:%s:nvflare\" (env \"NVFL_USERNAME\") .password | toJSON }}{{ end }}"
      }
    }

    task "main" {
      driver = "docker"

      # The dashboard makes the server's certificates, and so comes first.
      lifecycle {
        hook    = "poststart"
        sidecar = true
      }

      config {
        image   = "${local.images}ai4oshub/ai4os-nvflare-server:${var.version}"
        command = "/bin/bash"
        args    = ["$${NOMAD_TASK_DIR}/entrypoint.sh"]

        force_pull        = true
        ports             = ["server-fl", "server-admin", "server-jupyter"]
        shm_size          = var.ram * 500000
        memory_hard_limit = var.ram
        storage_opt       = { for limit in(var.disk_quotas ? ["size"] : []) : limit => "${var.disk}M" }
      }

      env {
        NVFL_USERNAME = var.username
        API           = "http://$${NOMAD_ADDR_dashboard}/nvflare-dashboard/api/v1"
      }

      # What is said to the dashboard, ready to be sent: no text of a user passes through a shell.
      template {
        destination = "secrets/login.json"
        data        = "{\"email\": {{ env \"NVFL_USERNAME\" | toJSON }}, \"password\": {{ with nomadVar \"${var.secrets_path}\" }}{{ .password | toJSON }}{{ end }}}"
      }

      template {
        destination = "secrets/jupyter_password"
        data        = "{{ with nomadVar \"${var.secrets_path}\" }}{{ .password }}{{ end }}"
      }

      # Fetches the server's startup kit, unless an earlier start of this allocation did: it holds the work since then.
      template {
        destination = "local/start_server.sh"
        data        = <<-SHELL
          kit="$NOMAD_ALLOC_DIR/data/server"
          started() { find "$kit" -type f -name start.sh 2>/dev/null | head -n 1; }

          fetch() {
            answer="$(curl -sSL -H 'Content-Type: application/json' --data @"$NOMAD_SECRETS_DIR/login.json" "$API/login")"
            token="$(jq -er .access_token <<< "$answer" 2>/dev/null)" || return 1
            pin="$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')"  # opens this one download, and nothing else
            curl -sSL -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
              --data "{\"pin\": \"$pin\"}" --output kit.zip "$API/servers/1/blob" || return 1
            rm -rf "$kit"
            unzip -q -o -P "$pin" kit.zip -d "$kit"
          }

          for attempt in $(seq 60); do
            [ -n "$(started)" ] && break
            fetch || echo "the dashboard is not ready (attempt $attempt)"
            [ -n "$(started)" ] || sleep 5
          done
          start="$(started)"
          [ -n "$start" ] || { echo "there is no startup kit to be had"; exit 1; }
          cd "$(dirname "$start")" && ./start.sh
        SHELL
      }

      template {
        destination = "local/entrypoint.sh"
        data        = <<-SHELL
          /bin/bash "$NOMAD_TASK_DIR/start_server.sh" || exit 1
          password="$(python3 -c '
          import os, pathlib
          from jupyter_server.auth import passwd
          print(passwd(pathlib.Path(os.environ["NOMAD_SECRETS_DIR"], "jupyter_password").read_text()))
          ')"
          exec jupyter-lab --ServerApp.password="$password" --ip=0.0.0.0 --port=8888 \
            --notebook-dir=/workspace --no-browser --allow-root
        SHELL
      }

      resources {
        cores      = var.cpu_num
        memory     = var.ram
        memory_max = var.ram
      }
    }
  }
}
