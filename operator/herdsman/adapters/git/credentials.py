"""How secrets reach git: in the environment of the one command that needs them, read anew each time.

A password goes through a credential helper of one line, which git asks only for the origin that the secret is for: a
server that redirects elsewhere gets nothing. A bearer token has to be a header, which git would send along, so with one
redirects are not followed at all. Keys and certificates stay files; only their names are handed on.
"""

import shlex
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from herdsman.adapters.git.command import Access, Config
from herdsman.adapters.git.config import Credentials, GitConfig, Scheme
from herdsman.errors import SourceError

MAX_SECRET: Final = 64 * 1024

DEFAULT_USER: Final = "x-access-token"
"""What GitHub wants beside a token; GitLab, Gitea and Forgejo take any name."""

_HELPER: Final = (
    '!f() { test "$1" = get || exit 0;'
    ' printf "username=%s\\npassword=%s\\n" "$HERDSMAN_GIT_USERNAME" "$HERDSMAN_GIT_PASSWORD"; }; f'
)


def access(config: GitConfig) -> Access:
    """What a command needs to reach the remote just now. Raises `SourceError` where a file cannot be read."""
    secret = _secret(config.credentials)
    settings: Config = (
        ("remote.origin.url", config.url),
        ("protocol.version", "2"),
        ("http.sslVerify", "true"),
        ("http.lowSpeedLimit", "1"),
        ("http.lowSpeedTime", str(max(1, round(config.timeout)))),
        *_files(config.credentials),
        *((("http.proxy", config.proxy),) if config.proxy else ()),
    )
    environment: dict[str, str] = {}
    if config.protocol == "ssh":
        environment = {"GIT_SSH_COMMAND": ssh_command(config), "GIT_SSH_VARIANT": "ssh"}
    elif secret and config.credentials.scheme is Scheme.BEARER:
        settings += (("http.extraHeader", f"Authorization: Bearer {secret}"), ("http.followRedirects", "false"))
    elif secret:
        user = config.credentials.username or unquote(urlsplit(config.url).username or "") or DEFAULT_USER
        environment = {"HERDSMAN_GIT_USERNAME": user, "HERDSMAN_GIT_PASSWORD": secret}
        settings += ((f"credential.{config.origin}.helper", _HELPER), ("http.proactiveAuth", "basic"))
    proxied = urlsplit(config.proxy).password or ""
    secrets = tuple(s for s in (secret, proxied, unquote(proxied)) if s)
    return Access(settings, environment, _protocols(config.protocol), secrets)


def _protocols(own: str) -> tuple[str, ...]:
    """What may be spoken: never anything weaker than the URL says, even if the remote asks for it."""
    return ("http", "https") if own == "http" else (own,)


def _secret(given: Credentials) -> str:
    if not given.secret_file:
        return given.secret
    try:
        with given.secret_file.open("rb") as file:
            secret = file.read(MAX_SECRET).decode().strip()
        problem = "" if secret.isprintable() else "it holds more than one line of plain text"
    except OSError as error:
        secret, problem = "", (error.strerror or str(error)).lower()
    except ValueError:
        secret, problem = "", "it is not text"
    if problem or not secret:
        raise SourceError(
            f"the secret for Git in {given.secret_file} cannot be used: {problem or 'it is empty'}",
            hint="a password or a token stands there, alone; it is read again at the next look",
        )
    return secret


def _files(given: Credentials) -> Config:
    named = (("http.sslCAInfo", given.ca_file), ("http.sslCert", given.client_cert), ("http.sslKey", given.client_key))
    return tuple((key, str(path.absolute())) for key, path in named if path)


def ssh_command(config: GitConfig) -> str:
    """The command line of ssh: no configuration but this, no question to a person, no host that is not known."""
    given = config.credentials
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "ConnectTimeout": str(max(1, round(config.timeout))),
        "ServerAliveInterval": "15",
        "ControlMaster": "no",
        "ForwardAgent": "no",
        "ClearAllForwardings": "yes",
    }
    if given.known_hosts:
        options |= {"UserKnownHostsFile": _quoted(given.known_hosts), "GlobalKnownHostsFile": "/dev/null"}
    if given.ssh_key:
        options |= {"IdentityFile": _quoted(given.ssh_key), "IdentitiesOnly": "yes", "IdentityAgent": "none"}
    words = ["ssh", "-F", "/dev/null", *(f"-o{name}={value}" for name, value in options.items())]
    return shlex.join(words)


def _quoted(path: Path) -> str:
    """A path as a value of `ssh_config`: spaces and percent signs would mean something."""
    text = str(path.absolute())
    if '"' in text or "\n" in text:
        raise SourceError(f"ssh cannot take the path {text!r}", hint="rename it: a quote in it would end its name")
    return f'"{text.replace("%", "%%")}"'
