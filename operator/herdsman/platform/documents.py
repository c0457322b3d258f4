"""The spec file of a deployment: made of a wish, read back for a change, and never holding a secret in clear."""

import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from herdsman.core.problems import Problem
from herdsman.core.reader import read
from herdsman.model.documents import API_VERSION, is_encrypted
from herdsman.platform.config import FOLDER
from herdsman.platform.errors import NotNow

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_TAKEN: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""Words that some reader of YAML takes for something else than text."""


class _Dumper(yaml.SafeDumper):
    """Writes what YAML 1.1 and 1.2 read alike: every text that could be something else stands in quotes."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if is_encrypted(text):
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
    plain = _PLAIN.fullmatch(text) is not None and text.lower() not in _TAKEN
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _text)


def path_of(namespace: str, id_: str) -> str:
    """Where the spec of a deployment is written."""
    return f"{FOLDER}/{namespace}/{id_}.yaml"


def document(
    namespace: str, id_: str, spec: Mapping[str, Any], *, labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A `Deployment`; fields of *spec* that are None are left out."""
    metadata: dict[str, Any] = {"name": id_, "namespace": namespace}
    if labels:
        metadata["labels"] = dict(labels)
    kept = {name: value for name, value in spec.items() if value is not None}
    return {"apiVersion": API_VERSION, "kind": "Deployment", "metadata": metadata, "spec": kept}


def dump(document: Mapping[str, Any]) -> bytes:
    """The text of the file."""
    text: str = yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31, default_flow_style=False
    )
    return text.encode()


def load(path: str, data: bytes) -> dict[str, Any]:
    """The one document of a file. Raises `NotNow` where it holds others, too: they are not ours to rewrite."""
    try:
        raws = read(path, data)
    except Problem as problem:
        raise NotNow(f"its spec cannot be read: {problem.message}", hint=f"mend {path} where it is kept") from None
    if len(raws) != 1 or not isinstance(raws[0].value, dict):
        raise NotNow("its spec stands in one file with others", hint=f"change {path} where it is kept")
    return dict(raws[0].value)
