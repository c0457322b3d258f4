"""Templates of tasks: Go's template language, with the functions that need neither Consul nor Vault."""

from herdsman.devnomad.client.templates.syntax import MissingVariable, TemplateError
from herdsman.devnomad.client.templates.tasks import Rendered, TaskTemplates

__all__ = ["MissingVariable", "Rendered", "TaskTemplates", "TemplateError"]
