# A web page from a process of its own: Python and nothing else.

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

variable "secrets_path" {
  type = string
}

variable "secrets_given" {
  type = list(string)
}

variable "title" {
  type = string
}

variable "greeting" {
  type = string
}

variable "colour" {
  type = string
}

variable "replicas" {
  type = number
}

variable "ram" {
  type = number
}

locals {
  # A node's own domain is known only where it runs.
  domain = var.labelled_nodes ? "$${meta.domain}-${var.domain}" : var.domain
  host   = "ui-${var.deployment_id}.${local.domain}"
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

  dynamic "constraint" {
    for_each = var.labelled_nodes ? { status = "ready", type = var.node_type } : {}

    content {
      attribute = "$${meta.${constraint.key}}"
      value     = constraint.value
    }
  }

  dynamic "constraint" {
    for_each = var.labelled_nodes ? [var.namespace] : []

    content {
      attribute = "$${meta.namespace}"
      operator  = "set_contains"
      value     = constraint.value
    }
  }

  group "usergroup" {
    count = var.replicas

    update {
      max_parallel      = 1
      min_healthy_time  = "1s"
      healthy_deadline  = "1m"
      progress_deadline = "2m"
    }

    network {
      port "ui" {}
    }

    service {
      name     = "${var.deployment_id}-ui"
      port     = "ui"
      provider = var.service_provider

      tags = [
        "traefik.enable=true",
        "traefik.http.routers.${var.deployment_id}-ui.tls=true",
        "traefik.http.routers.${var.deployment_id}-ui.rule=Host(`${local.host}`) || Host(`www.${local.host}`)",
      ]

      check {
        type     = "http"
        path     = "/health"
        interval = "5s"
        timeout  = "2s"
      }
    }

    task "main" {
      driver = "raw_exec"

      config {
        command = "python3"
        args    = ["local/serve.py"]
      }

      # What a user wrote goes here and nowhere else: in a template or a command line it could be more than text.
      env {
        GREETING = var.greeting
        COLOUR   = var.colour
      }

      dynamic "template" {
        for_each = contains(var.secrets_given, "visitor_password") ? [var.secrets_path] : []

        content {
          destination = "secrets/page.env"
          env         = true
          data        = "VISITOR_PASSWORD={{ with nomadVar \"${template.value}\" }}{{ .visitor_password | toJSON }}{{ end }}"
        }
      }

      template {
        destination = "local/serve.py"
        data        = <<-PYTHON
          """Serves one page, and says at /health that it does."""

          import base64
          import hmac
          import html
          import os
          from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

          COLOURS = {"light": ("#fff", "#222"), "dark": ("#222", "#fff")}
          BACKGROUND, INK = COLOURS[os.environ["COLOUR"]]
          PASSWORD = os.environ.get("VISITOR_PASSWORD", "")
          PAGE = f"""<!doctype html>
          <meta charset="utf-8">
          <title>{html.escape(os.environ["GREETING"])}</title>
          <body style="background: {BACKGROUND}; color: {INK}; font: 2em sans-serif; margin: 4em">
          <p>{html.escape(os.environ["GREETING"])}</p>
          """


          class Page(BaseHTTPRequestHandler):
              def do_GET(self):
                  if self.path == "/health":
                      self.answer(200, "fine")
                  elif self.knows_the_password():
                      self.answer(200, PAGE)
                  else:
                      self.answer(401, "Who are you?", {"WWW-Authenticate": 'Basic realm="page", charset="UTF-8"'})

              def knows_the_password(self):
                  scheme, _, told = self.headers.get("Authorization", "").partition(" ")
                  if not PASSWORD:
                      return True
                  if scheme.lower() != "basic":
                      return False
                  try:
                      given = base64.b64decode(told).partition(b":")[2]
                  except ValueError:
                      return False
                  return hmac.compare_digest(given, PASSWORD.encode())

              def answer(self, status, text, headers=()):
                  body = text.encode()
                  self.send_response(status)
                  self.send_header("Content-Type", "text/html; charset=utf-8")
                  self.send_header("Content-Length", str(len(body)))
                  for name, value in dict(headers).items():
                      self.send_header(name, value)
                  self.end_headers()
                  self.wfile.write(body)


          address = os.environ["NOMAD_IP_ui"], int(os.environ["NOMAD_PORT_ui"])
          ThreadingHTTPServer(address, Page).serve_forever()
        PYTHON
      }

      resources {
        cpu    = 50
        memory = var.ram
      }
    }
  }
}
