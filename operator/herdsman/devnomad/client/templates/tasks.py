"""The templates of one task: rendered before it starts, and again when a variable that they read changes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from herdsman.devnomad.client import taskenv
from herdsman.devnomad.client.templates import files
from herdsman.devnomad.types import Row

Variables = Callable[[str, str], Row | None]
"""Reads a variable: namespace and path."""


@dataclass(slots=True)
class Rendered:
    """What a rendering gave: variables for the task's environment, and the templates whose text is another now."""

    env: dict[str, str] = field(default_factory=dict)
    changed: list[Row] = field(default_factory=list)


class TaskTemplates:
    """A task's templates and the texts they last gave."""

    def __init__(self, root: Path, node: Row, namespace: str, variables: Variables) -> None:
        self._root, self._node, self._namespace, self._variables = root, node, namespace, variables
        self._texts: dict[str, str] = {}
        self.watched: set[tuple[str, str]] = set()
        """The variables that were read, or looked for: namespace and path."""

    def render(self, templates: list[Row], env: Mapping[str, str]) -> Rendered:
        """Write the files; `TemplateError` where one cannot be rendered, `MissingVariable` where it cannot be yet."""
        rendered = Rendered()
        for template in templates:
            target = taskenv.interpolate(template["DestPath"], env, self._node)
            text = files.write(
                {**template, "DestPath": target}, self._root, env={**env, **rendered.env}, variable=self._read
            )
            if self._texts.get(target) != text:
                rendered.changed.append(template)
            self._texts[target] = text
            if template["Envvars"]:
                rendered.env |= files.environment(text)
        return rendered

    def _read(self, name: str) -> Row | None:
        """A variable by its path, or by `path@namespace.region`."""
        path, _, where = name.partition("@")
        namespace = where.partition(".")[0] or self._namespace
        self.watched.add((namespace, path))
        return self._variables(namespace, path)
