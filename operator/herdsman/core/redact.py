"""Values that may hold a secret are told by a short fingerprint: a reader sees that they differ, never what they are.

Masked are free-form values (`Env`, `Meta`, `Config`, templates, payloads) whose name or look suggests a credential,
and the text of templates and payloads always. The choice errs on the side of masking.
"""

import re
from hashlib import blake2s

MASK = "(sensitive)"

_SECRET_NAME = re.compile(
    r"pass|pwd|secret|token|cred|auth|private|cert|salt|signature|dsn|api_?key|_key\b|key$", re.IGNORECASE
)
_SECRET_LOOK = re.compile(
    r"-----BEGIN |://[^/\s:@]+:[^/\s@]+@|\beyJ[\w-]{8,}\.|\b(?:ghp|gho|ghs|glpat|xox[abp]|AKIA|hvs)[-_\w]{8,}"
    r"|\b[A-Za-z0-9+/_-]{32,}={0,2}(?![\w.:/-])",
)
_ALWAYS = re.compile(r"(?:^|\.)(?:EmbeddedTmpl|Payload|ConsulToken|VaultToken|Variables)\b")
_FREE_FORM = re.compile(r"(?:^|\.)(?:Env|Meta|Config|GetterOptions|GetterHeaders|Header)\b")
_LONGEST = 200


def redact(path: str, value: str, *, salt: str = "") -> str:
    """*value* at *path* (like `TaskGroups[web].Tasks[main].Env[TOKEN]`) as it may be shown.

    *salt* makes fingerprints of one process useless to another; equal values stay equal within one.
    """
    if not value:
        return value
    if _ALWAYS.search(path) or _SECRET_LOOK.search(value) or (_FREE_FORM.search(path) and _SECRET_NAME.search(path)):
        return f"{MASK[:-1]} {blake2s((salt + value).encode(), digest_size=3).hexdigest()})"
    return value if len(value) <= _LONGEST else value[:_LONGEST] + "…"
