"""Templates of tasks: Go's template language, with the functions that need neither Consul nor Vault."""

from herdsman.devnomad.client.templates.files import environment, write
from herdsman.devnomad.client.templates.syntax import TemplateError

__all__ = ["TemplateError", "environment", "write"]
