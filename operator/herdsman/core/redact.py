"""Values that may hold a secret are never told: a reader sees that they differ, which is why they are named at all.

Masked are free-form values (`Env`, `Meta`, `Config`, templates, payloads) whose name or look suggests a credential,
and the text of templates and payloads always. The choice errs on the side of masking.
"""

import re

from herdsman.model.observed import FieldChange

MASK = "(sensitive)"
CHANGED = "(sensitive, changed)"

_SECRET_NAME = re.compile(
    r"pass|pwd|secret|token|cred|auth|private|cert|salt|signature|dsn|api_?key|_key\b|key$", re.IGNORECASE
)
_SECRET_LOOK = re.compile(
    r"-----BEGIN |://[^/\s:@]+:[^/\s@]+@|\beyJ[\w-]{8,}\.|\b(?:gh[opsu]|glpat|xox[abp]|AKIA|hv[sb])[-_.\w]{8,}"
)
_ASSIGNED = re.compile(
    r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|api[-_]?key|private[-_]?key)[\w-]*=\S"
    r"|--[\w-]*(?:pass|pwd|secret|token|cred|key)[\w-]*[=\s]\S",
    re.IGNORECASE,
)
"""`--password=x`, `DB_TOKEN=x`: an argument carries its name inside."""
_RANDOM = re.compile(r"(?<![\w/.:@-])(?=\S*[a-z])(?=\S*[A-Z])(?=\S*\d)[A-Za-z0-9+_=-]{32,}(?![\w/.:@-])")
"""A long word of small and large letters and digits: a key more often than not. Digests and paths are not like that."""
_ALWAYS = re.compile(r"(?:^|\.)(?:EmbeddedTmpl|Payload|ConsulToken|VaultToken|Variables)\b")
_FREE_FORM = re.compile(r"(?:^|\.)(?:Env|Meta|Config|GetterOptions|GetterHeaders|Header)\b")
_LONGEST = 200


def field_change(path: str, old: str, new: str) -> FieldChange:
    """A change as it may be shown: of two secrets only that they differ."""
    before, after = redact(path, old), redact(path, new)
    return FieldChange(path, before, CHANGED if before == after == MASK else after)


def redact(path: str, value: str) -> str:
    """*value* at *path* (like `TaskGroups[web].Tasks[main].Env[TOKEN]`) as it may be shown."""
    if not value:
        return value
    if _ALWAYS.search(path) or _looks_secret(value) or (_FREE_FORM.search(path) and _SECRET_NAME.search(path)):
        return MASK
    return value if len(value) <= _LONGEST else value[:_LONGEST] + "…"


def _looks_secret(value: str) -> bool:
    return any(pattern.search(value) for pattern in (_SECRET_LOOK, _ASSIGNED, _RANDOM))
