# A Flower server for federated learning, or an IDE to run it from by hand.

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

variable "secrets_given" {
  type = list(string)
}

variable "title" {
  type = string
}

variable "docker_image" {
  type = string
}

variable "docker_tag" {
  type = string
}

variable "service" {
  type = string
}

variable "co2" {
  type = bool
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

variable "rounds" {
  type = number
}

variable "metric" {
  type = string
}

variable "min_fit_clients" {
  type = number
}

variable "min_available_clients" {
  type = number
}

variable "strategy" {
  type = string
}

variable "mu" {
  type = number
}

variable "fl" {
  type = number
}

variable "momentum" {
  type = number
}

variable "dp" {
  type = bool
}

variable "mp" {
  type = bool
}

variable "noise_mult" {
  type = number
}

variable "sampled_clients" {
  type = number
}

variable "clip_norm" {
  type = number
}

locals {
  # A node's own domain is known only where it runs.
  domain = var.labelled_nodes ? "$${meta.domain}-${var.domain}" : var.domain
  host   = "${var.deployment_id}.${local.domain}"

  # The first one is where a user is led to. Clients of Flower speak gRPC, so HTTP/2 without TLS behind the proxy.
  endpoints = var.service == "fedserver" ? ["fedserver", "monitor", "ide"] : ["ide", "fedserver", "monitor"]
  schemes   = { fedserver = "h2c" }

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
      port "fedserver" {
        to = 5000
      }
      port "monitor" {
        to = 6006
      }
      port "ide" {
        to = 8888
      }
    }

    dynamic "service" {
      for_each = local.endpoints

      content {
        name     = "${var.deployment_id}-${service.value}"
        port     = service.value
        provider = var.service_provider

        tags = concat([
          "traefik.enable=true",
          "traefik.http.routers.${var.deployment_id}-${service.value}.tls=true",
          "traefik.http.routers.${var.deployment_id}-${service.value}.rule=Host(`${service.value}-${local.host}`) || Host(`www.${service.value}-${local.host}`)",
        ], [
          for scheme in compact([lookup(local.schemes, service.value, "")]) :
          "traefik.http.services.${var.deployment_id}-${service.value}.loadbalancer.server.scheme=${scheme}"
        ])
      }
    }

    ephemeral_disk {
      size = var.disk
    }

    task "main" {
      driver = "docker"

      config {
        image   = "${local.images}${var.docker_image}:${var.docker_tag}"
        command = "deep-start"
        args    = ["--${var.service}"]

        force_pull        = true
        ports             = ["fedserver", "monitor", "ide"]
        shm_size          = var.ram * 500000
        memory_hard_limit = var.ram
        storage_opt       = { for limit in(var.disk_quotas ? ["size"] : []) : limit => "${var.disk}M" }
      }

      # The server is a Python program, and reads True and False as Python writes them.
      env {
        FEDERATED_ROUNDS                = var.rounds
        FEDERATED_METRIC                = var.metric
        FEDERATED_MIN_FIT_CLIENTS       = var.min_fit_clients
        FEDERATED_MIN_AVAILABLE_CLIENTS = var.min_available_clients
        FEDERATED_STRATEGY              = var.strategy
        MU_FEDPROX                      = var.mu
        FEDAVGM_SERVER_FL               = var.fl
        FEDAVGM_SERVER_MOMENTUM         = var.momentum
        DP                              = var.dp ? "True" : "False"
        MP                              = var.mp ? "True" : "False"
        NOISE_MULT                      = var.noise_mult
        SAMPLED_CLIENTS                 = var.sampled_clients
        CLIP_NORM                       = var.clip_norm
        CODE_CARBON                     = var.co2 ? "True" : "False"
      }

      dynamic "template" {
        for_each = contains(var.secrets_given, "jupyter_password") ? [var.secrets_path] : []

        content {
          destination = "secrets/ide.env"
          env         = true
          data        = "jupyterPASSWORD={{ with nomadVar \"${template.value}\" }}{{ .jupyter_password | toJSON }}{{ end }}"
        }
      }

      resources {
        cores      = var.cpu_num
        memory     = var.ram
        memory_max = var.ram
      }
    }
  }
}
