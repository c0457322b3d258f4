# An AI module: its API or an IDE, with the user's storage mounted beside it; or a script that runs in its image.

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

variable "platform_registry" {
  type = string
}

variable "disk_quotas" {
  type = bool
}

variable "notify_url" {
  type = string
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

variable "cpu_num" {
  type = number
}

variable "gpu_num" {
  type = number
}

variable "gpu_type" {
  type = string
}

variable "ram" {
  type = number
}

variable "disk" {
  type = number
}

variable "rclone_conf" {
  type = string
}

variable "rclone_url" {
  type = string
}

variable "rclone_vendor" {
  type = string
}

variable "rclone_user" {
  type = string
}

variable "script" {
  type = string
}

variable "datasets" {
  type = list(object({ doi = string, force_pull = bool }))
}

locals {
  # A node's own domain is known only where it runs.
  domain = var.labelled_nodes ? "$${meta.domain}-${var.domain}" : var.domain
  host   = "${var.deployment_id}.${local.domain}"

  # The first one is where a user is led to.
  endpoints = var.service == "deepaas" ? ["api", "ui", "monitor", "custom"] : ["ide", "api", "monitor", "custom"]

  batch  = var.script != ""
  served = local.batch ? [] : [1]

  # Where the script of a batch job is written to. A task has its own folder there, in a container too.
  script = "$${NOMAD_TASK_DIR}/batch.sh"

  images   = var.registry == "" ? "" : "${var.registry}/"
  platform = var.platform_registry == "" ? "" : "${var.platform_registry}/"

  storage = var.rclone_url != "" && var.rclone_user != "" && contains(var.secrets_given, "rclone_password")
  volumes = local.storage ? ["/nomad-storage/${var.deployment_id}:/storage:shared"] : []

  # All but the password, which only a template may read.
  rclone = local.storage ? {
    RCLONE_CONFIG               = var.rclone_conf
    RCLONE_CONFIG_RSHARE_TYPE   = "webdav"
    RCLONE_CONFIG_RSHARE_URL    = var.rclone_url
    RCLONE_CONFIG_RSHARE_VENDOR = var.rclone_vendor
    RCLONE_CONFIG_RSHARE_USER   = var.rclone_user
  } : {}

  # Lines of a template that makes environment variables of secrets.
  ide_secret     = contains(var.secrets_given, "jupyter_password") ? ["jupyterPASSWORD={{ .jupyter_password | toJSON }}"] : []
  storage_secret = local.storage ? ["RCLONE_PASSWORD={{ .rclone_password | toJSON }}"] : []
  main_secrets   = concat(local.ide_secret, local.storage_secret)

  # What runs, and its only argument.
  program  = local.batch ? "/bin/bash" : "deep-start"
  argument = local.batch ? local.script : "--${var.service}"

  # rclone wants the password in a form of its own, which only rclone makes.
  with_rclone = "export RCLONE_CONFIG_RSHARE_PASS=\"$(rclone obscure \"$RCLONE_PASSWORD\")\"; exec ${local.program} \"$0\""

  no_gpu = var.gpu_num > 0 ? {} : { NVIDIA_VISIBLE_DEVICES = "none" }
}

job "deployment" {
  id        = var.deployment_id
  name      = var.deployment_id
  namespace = var.namespace
  type      = local.batch ? "batch" : "service"
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
    for_each = var.labelled_nodes ? merge({ status = "ready" }, local.batch ? {} : { type = var.node_type }) : {}

    content {
      attribute = "$${meta.${constraint.key}}"
      value     = constraint.value
    }
  }

  # A batch job may run on the nodes that are kept for such, and does so if possible.
  dynamic "constraint" {
    for_each = var.labelled_nodes && local.batch ? ["${var.node_type},batch"] : []

    content {
      attribute = "$${meta.type}"
      operator  = "set_contains_any"
      value     = constraint.value
    }
  }

  dynamic "affinity" {
    for_each = var.labelled_nodes && local.batch ? ["batch"] : []

    content {
      attribute = "$${meta.type}"
      value     = affinity.value
      weight    = 100
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

  # Who needs no GPU leaves the nodes that have one to others, if possible.
  dynamic "affinity" {
    for_each = var.labelled_nodes && var.gpu_num == 0 && !local.batch ? { cpu = 100, gpu = -100 } : {}

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
    # Images are large, and datasets larger.
    dynamic "update" {
      for_each = local.served

      content {
        max_parallel      = 1
        health_check      = "task_states"
        min_healthy_time  = "10s"
        healthy_deadline  = "1h"
        progress_deadline = "70m"
      }
    }

    disconnect {
      lost_after = "48h"
      replace    = false
      reconcile  = "keep_original"
    }

    dynamic "network" {
      for_each = local.served

      content {
        port "api" {
          to = 5000
        }
        port "monitor" {
          to = 6006
        }
        port "ide" {
          to = 8888
        }
        port "ui" {
          to = 80
        }
        port "custom" {
          to = 80
        }
      }
    }

    dynamic "service" {
      for_each = local.batch ? [] : local.endpoints

      content {
        name     = "${var.deployment_id}-${service.value}"
        port     = service.value
        provider = var.service_provider

        tags = [
          "traefik.enable=true",
          "traefik.http.routers.${var.deployment_id}-${service.value}.tls=true",
          "traefik.http.routers.${var.deployment_id}-${service.value}.rule=Host(`${service.value}-${local.host}`) || Host(`www.${service.value}-${local.host}`)",
        ]
      }
    }

    ephemeral_disk {
      size = var.disk
    }

    # Mounts the user's storage on the node, for the containers beside it.
    dynamic "task" {
      for_each = local.storage ? [1] : []
      labels   = ["storage_mount"]

      content {
        driver = "docker"

        lifecycle {
          hook    = "prestart"
          sidecar = true
        }

        config {
          image      = "${local.platform}ai4os/docker-storage:latest"
          force_pull = true
          privileged = true
          volumes    = local.volumes
        }

        env = merge(local.rclone, { REMOTE_PATH = "rshare:/", LOCAL_PATH = "/storage" })

        template {
          destination = "secrets/storage.env"
          env         = true
          data        = "RCLONE_CONFIG_RSHARE_PASS={{ with nomadVar \"${var.secrets_path}\" }}{{ .rclone_password | toJSON }}{{ end }}"
        }

        resources {
          cpu    = 50
          memory = 2000
        }
      }
    }

    # Fetches datasets into that storage, one after the other.
    dynamic "task" {
      for_each = local.storage ? var.datasets : []
      labels   = ["dataset_download_${task.key}"]

      content {
        driver = "docker"

        lifecycle {
          hook = "prestart"
        }

        config {
          image      = "${local.platform}ai4os/docker-zenodo:latest"
          force_pull = true
          volumes    = local.volumes
        }

        env {
          DOI        = task.value.doi
          FORCE_PULL = task.value.force_pull ? "True" : "False"
        }

        resources {
          cpu    = 50
          memory = 2000
        }
      }
    }

    # Says that the deployment starts: whoever is told knows how long it waited, and whom to write to.
    dynamic "task" {
      for_each = var.notify_url != "" ? [var.notify_url] : []
      labels   = ["email-notification"]

      content {
        driver = "docker"

        lifecycle {
          hook = "prestart"
        }

        # A notice that gets lost is no reason not to start.
        config {
          image   = "${local.images}curlimages/curl:latest"
          command = "/bin/sh"
          args    = ["-c", "curl --max-time 20 --data-urlencode \"job=$NOMAD_JOB_ID\" \"$NOTIFY_URL\" || true"]
        }

        env {
          NOTIFY_URL = task.value
        }

        resources {
          cores = 1
        }

        restart {
          attempts = 0
          mode     = "fail"
        }
      }
    }

    task "main" {
      driver = "docker"

      config {
        image   = "${local.images}${var.docker_image}:${var.docker_tag}"
        command = local.storage ? "/bin/sh" : local.program
        args    = local.storage ? ["-c", local.with_rclone, local.argument] : [local.argument]

        force_pull        = true
        ports             = local.batch ? [] : ["api", "monitor", "ide", "custom"]
        volumes           = local.volumes
        shm_size          = var.ram * 500000
        memory_hard_limit = var.ram
        storage_opt       = { for limit in(var.disk_quotas ? ["size"] : []) : limit => "${var.disk}M" }
      }

      env = merge(local.rclone, local.no_gpu)

      dynamic "template" {
        for_each = length(local.main_secrets) > 0 ? [join("\n", local.main_secrets)] : []

        content {
          destination = "secrets/main.env"
          env         = true
          data        = "{{ with nomadVar \"${var.secrets_path}\" }}\n${template.value}\n{{ end }}\n"
        }
      }

      # In base64 a script holds nothing that a template, or Nomad, would read.
      dynamic "template" {
        for_each = local.batch ? [base64encode(var.script)] : []

        content {
          destination = "local/batch.sh"
          data        = "{{ base64Decode \"${template.value}\" }}"
        }
      }

      # What a script did halfway is not for anybody else to do again.
      dynamic "restart" {
        for_each = local.batch ? [1] : []

        content {
          attempts = 0
          mode     = "fail"
        }
      }

      resources {
        cores      = var.cpu_num
        memory     = var.ram
        memory_max = var.ram

        dynamic "device" {
          for_each = var.gpu_num > 0 ? [var.gpu_num] : []
          labels   = ["gpu"]

          content {
            count = device.value

            dynamic "constraint" {
              for_each = compact([var.gpu_type])

              content {
                attribute = "$${device.model}"
                value     = constraint.value
              }
            }
          }
        }
      }
    }

    # A page to try the API with, once that is there.
    dynamic "task" {
      for_each = var.service == "deepaas" ? local.served : []
      labels   = ["ui"]

      content {
        driver = "docker"

        lifecycle {
          hook    = "poststart"
          sidecar = true
        }

        config {
          image             = "${local.platform}ai4os/deepaas_ui:latest"
          force_pull        = true
          ports             = ["ui"]
          shm_size          = 250000000
          memory_hard_limit = 500
        }

        # It ends itself after a while, if nobody says otherwise.
        env {
          DURATION = "10000d"
          UI_PORT  = 80
        }

        resources {
          cpu        = 500
          memory     = 500
          memory_max = 500
        }

        # Not every module has an API that it can show.
        restart {
          attempts = 0
          mode     = "fail"
        }
      }
    }

    # Takes the storage off the node again.
    dynamic "task" {
      for_each = local.storage ? ["/nomad-storage/${var.deployment_id}"] : []
      labels   = ["storage_cleanup"]

      content {
        driver = "raw_exec"

        lifecycle {
          hook = "poststop"
        }

        config {
          command = "/bin/sh"
          args    = ["-c", "test ! -d \"$FOLDER\" || { sudo -n umount \"$FOLDER\"; sudo -n rmdir \"$FOLDER\"; }"]
        }

        env {
          FOLDER = task.value
        }

        resources {
          cpu    = 50
          memory = 32
        }
      }
    }
  }
}
