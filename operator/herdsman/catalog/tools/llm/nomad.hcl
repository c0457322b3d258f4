# A large language model with an API like OpenAI's (vLLM), a page to chat with it (Open WebUI), or both.

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

variable "secrets_path" {
  type = string
}

variable "secrets_given" {
  type = list(string)
}

variable "title" {
  type = string
}

variable "type" {
  type = string
}

variable "vllm_model_id" {
  type = string
}

variable "ui_username" {
  type = string
}

variable "openai_api_url" {
  type = string
}

locals {
  # A node's own domain is known only where it runs.
  domain = var.labelled_nodes ? "$${meta.domain}-${var.domain}" : var.domain
  host   = "${var.deployment_id}.${local.domain}"

  with_vllm = var.type != "open-webui"
  with_ui   = var.type != "vllm"
  with_both = local.with_vllm && local.with_ui

  # The first one is where a user is led to.
  ports     = { ui = 8080, vllm = 8000 }
  endpoints = concat(local.with_ui ? ["ui"] : [], local.with_vllm ? ["vllm"] : [])

  images = var.registry == "" ? "" : "${var.registry}/"

  # A T4 does not know bfloat16, which most models come in.
  arguments = {
    "Qwen/Qwen2.5-7B-Instruct-AWQ"              = ["--quantization", "awq"]
    "Qwen/Qwen2.5-Coder-7B-Instruct-AWQ"        = ["--quantization", "awq"]
    "Qwen/Qwen2.5-Math-1.5B-Instruct"           = ["--dtype", "float16"]
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B" = ["--dtype", "float16", "--reasoning-parser", "deepseek_r1"]
    "meta-llama/Llama-3.2-3B"                   = ["--dtype", "float16"]
    "meta-llama/Llama-3.2-3B-Instruct"          = ["--dtype", "float16"]
  }

  # Lines of templates that make environment variables of secrets.
  hub_token    = contains(var.secrets_given, "HF_token") ? ["HUGGING_FACE_HUB_TOKEN={{ .HF_token | toJSON }}"] : []
  vllm_secrets = concat(["VLLM_API_KEY={{ .vllm_api_key | toJSON }}"], local.hub_token)
  api_key      = local.with_vllm ? "vllm_api_key" : "openai_api_key"

  # Tasks of one allocation reach each other without the proxy.
  api_url = local.with_vllm ? "http://$${NOMAD_ADDR_vllm}/v1" : var.openai_api_url
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

  # Who needs no GPU leaves the nodes that have one to others, if possible.
  dynamic "affinity" {
    for_each = var.labelled_nodes && !local.with_vllm ? { cpu = 100, gpu = -100 } : {}

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
    # Images are large, and models larger.
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
      dynamic "port" {
        for_each = local.endpoints
        labels   = [port.value]

        content {
          to = local.ports[port.value]
        }
      }
    }

    dynamic "service" {
      for_each = local.endpoints

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
      size = 4096
    }

    # The model. Where there is a page too, it starts first.
    dynamic "task" {
      for_each = local.with_vllm ? [1] : []
      labels   = ["main"]

      content {
        driver = "docker"

        dynamic "lifecycle" {
          for_each = local.with_ui ? [1] : []

          content {
            hook    = "prestart"
            sidecar = true
          }
        }

        config {
          image      = "${local.images}vllm/vllm-openai:latest"
          args       = concat(["--model", var.vllm_model_id], local.arguments[var.vllm_model_id])
          force_pull = true
          ports      = ["vllm"]
        }

        template {
          destination = "secrets/vllm.env"
          env         = true
          data        = "{{ with nomadVar \"${var.secrets_path}\" }}\n${join("\n", local.vllm_secrets)}\n{{ end }}\n"
        }

        resources {
          cores  = 4
          memory = 16000

          device "gpu" {
            count = 1

            constraint {
              attribute = "$${device.model}"
              value     = "Tesla T4"
            }
          }
        }
      }
    }

    # Lets the page wait until the model is loaded, so that there is something to chat with.
    dynamic "task" {
      for_each = local.with_both ? [1] : []
      labels   = ["check_vllm_startup"]

      content {
        driver = "docker"

        lifecycle {
          hook = "prestart"
        }

        config {
          image   = "${local.images}curlimages/curl:latest"
          command = "/bin/sh"
          args    = ["-c", "until curl --silent --fail --max-time 10 --header @\"$HEADERS\" \"$URL\"; do sleep 2; done"]
        }

        env {
          URL     = "http://$${NOMAD_ADDR_vllm}/v1/models"
          HEADERS = "$${NOMAD_SECRETS_DIR}/headers"
        }

        # In a file, for a command line can be seen by others.
        template {
          destination = "secrets/headers"
          data        = "Authorization: Bearer {{ with nomadVar \"${var.secrets_path}\" }}{{ .vllm_api_key }}{{ end }}"
        }

        resources {
          cpu    = 100
          memory = 256
        }
      }
    }

    # The page. It answers from documents too, for which it needs a fair amount of memory.
    dynamic "task" {
      for_each = local.with_ui ? [local.with_vllm ? "open-webui" : "main"] : []
      labels   = [task.value]

      content {
        driver = "docker"

        config {
          image      = "${local.images}openwebui/open-webui:main"
          force_pull = true
          ports      = ["ui"]
        }

        env {
          OPENAI_API_BASE_URL = local.api_url
          WEBUI_AUTH          = "True"
        }

        template {
          destination = "secrets/ui.env"
          env         = true
          data        = "OPENAI_API_KEY={{ with nomadVar \"${var.secrets_path}\" }}{{ .${local.api_key} | toJSON }}{{ end }}"
        }

        resources {
          cores  = 4
          memory = 16000
        }
      }
    }

    # The first to sign up at the page is its administrator: that must be the owner, not who happens to pass by.
    dynamic "task" {
      for_each = local.with_ui ? [1] : []
      labels   = ["create-admin"]

      content {
        driver = "docker"

        lifecycle {
          hook = "poststart"
        }

        config {
          image   = "${local.images}curlimages/curl:latest"
          command = "/bin/sh"
          args    = ["$${NOMAD_TASK_DIR}/create_admin.sh"]
        }

        env {
          URL         = "http://$${NOMAD_ADDR_ui}/api/v1/auths/signup"
          ADMIN       = "$${NOMAD_SECRETS_DIR}/admin.json"
          UI_USERNAME = var.ui_username
        }

        template {
          destination = "secrets/admin.json"
          data        = <<-JSON
            {
              "name": {{ env "UI_USERNAME" | toJSON }},
              "email": {{ env "UI_USERNAME" | toJSON }},
              "password": {{ with nomadVar "${var.secrets_path}" }}{{ .ui_password | toJSON }}{{ end }},
              "profile_image_url": "/user.png"
            }
          JSON
        }

        template {
          destination = "local/create_admin.sh"
          data        = <<-SHELL
            # Repeats until the page is there. A refusal means that it has its administrator, from an earlier start.
            while true; do
              status="$(curl --silent --output /dev/null --write-out '%%{http_code}' --max-time 10 \
                --header 'Content-Type: application/json' --data @"$ADMIN" "$URL")"
              case "$status" in
                200 | 400 | 403) echo "the page answers $status"; exit 0 ;;
              esac
              sleep 2
            done
          SHELL
        }

        resources {
          cpu    = 100
          memory = 256
        }
      }
    }
  }
}
