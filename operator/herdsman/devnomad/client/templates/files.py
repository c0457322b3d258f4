"""A task's template, from its source to the file it makes."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from herdsman.devnomad.client.templates.functions import functions
from herdsman.devnomad.client.templates.render import Renderer
from herdsman.devnomad.client.templates.syntax import TemplateError, parse
from herdsman.devnomad.types import Row


def write(template: Row, root: Path, *, env: Mapping[str, str], variable: Callable[[str], Row | None]) -> str:
    """Render a template into its file below `root`; answers the text."""
    source = template["EmbeddedTmpl"] or _source(root, template["SourcePath"])
    try:
        nodes = parse(source, left=template["LeftDelim"] or "{{", right=template["RightDelim"] or "}}")
        text = Renderer(functions(env=env, variable=variable, root=root)).render(nodes)
    except RecursionError:
        raise TemplateError("the template is nested too deeply") from None
    target = _inside(root, template["DestPath"])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    target.chmod(int(template["Perms"] or "0644", 8))
    return text


def _source(root: Path, name: str) -> str:
    try:
        return _inside(root, name).read_text()
    except OSError as error:
        raise TemplateError(f"cannot read template source {name!r}: {error}") from error


def _inside(root: Path, name: str) -> Path:
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise TemplateError(f"template path {name!r} is outside the task directory")
    return path


def environment(text: str) -> dict[str, str]:
    """The `KEY=value` lines of a template with `env = true`."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith("#") and "=" in stripped:
            key, _, value = stripped.partition("=")
            found[key.strip().removeprefix("export ")] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    """Single quotes hold what they hold; double quotes know the escapes of JSON."""
    if len(value) < 2 or value[0] != value[-1] or value[0] not in "\"'":
        return value
    if value[0] == "'":
        return value[1:-1]
    try:
        return str(json.loads(value, strict=False))
    except ValueError:
        return value[1:-1]
