"""What git says when it fails, in words for people: what happened, and what to do.

Git tells errors as text alone, in English with `LC_ALL=C`. The table below is read from the top; the first pattern that
is found wins. What is in no row is shown in git's own words, of which only the last error counts, and what the remote
made git repeat is kept to one printable line.
"""

import re
from typing import Final

from herdsman.adapters.git.command import Done
from herdsman.errors import SourceError

_ROWS: Final[tuple[tuple[str, str, str], ...]] = (
    (
        r"No space left on device|Disk quota exceeded|File too large",
        "there is no room left for the mirror of {place}",
        "free some on the disk of the cache",
    ),
    (
        r"Read-only file system|insufficient permission for adding|unable to create temporary|Unable to create '",
        "the mirror of {place} cannot be written",
        "the cache has to be writable for the user that runs Herdsman",
    ),
    (
        r"dubious ownership",
        "{place} belongs to another user of this machine",
        "run Herdsman as that user, or serve the repository over https or ssh",
    ),
    (
        r"Host key verification failed|HOST IDENTIFICATION HAS CHANGED|No \S+ host key is known",
        "the host of {place} is not the one that known_hosts names",
        "compare its key, and put it into known_hosts only if it is right",
    ),
    (
        r"UNPROTECTED PRIVATE KEY|bad permissions",
        "ssh refuses the key for {place}: others may read its file",
        "take the rights of group and others away",
    ),
    (
        r"Permission denied \(|Permission denied, please try again|Load key .*(?:invalid|incorrect|No such)",
        "{place} does not accept the ssh key",
        "add it to the repository as a key that may read; name it in the credentials",
    ),
    (
        r"Authentication failed|could not read (?:Username|Password)|returned error: 40[13]|Access denied",
        "{place} does not accept the credentials",
        "a token may have expired or lack the right to read; a file with a new one is read at the next look",
    ),
    (
        r"early EOF|hung up|unexpected disconnect|RPC failed|Empty reply|Broken pipe"
        r"|[Cc]onnection (?:was )?(?:reset|closed)|transfer closed|(?:Recv|Send) failure",
        "{place} broke the connection off",
        "it is tried again",
    ),
    (
        r"certificate|SSL|TLS|gnutls|alert|unable to set private key",
        "no trusted connection to {place}",
        "its certificate must be valid, for this host, and from an authority that is known or named as ca_file",
    ),
    (
        r"returned error: 30[12378]|unable to update url base from redirection",
        "{place} has moved",
        "use its new URL: a bearer token is not carried to another one",
    ),
    (
        r"[Rr]epository .*not found|returned error: 404|not appear to be a git repository|does not exist"
        r"|no such repository|access denied or repository not exported",
        "there is no repository at {place}, or none that these credentials may see",
        "it was moved, renamed, or the URL is wrong",
    ),
    (r"[Cc]ould not resolve|unable to look up", "the host of {place} is not known", "is the URL right, and DNS there?"),
    (
        r"not our ref|no such remote ref|couldn't find remote ref|does not allow request for unadvertised",
        "{place} does not have, or does not hand out, what is followed",
        "it was removed meanwhile, or the server wants a branch or a tag instead of a commit",
    ),
    (
        r"[Cc]onnection refused|[Ff]ailed to connect|[Cc]ouldn't connect|Network is unreachable|No route to host"
        r"|Connection timed out|[Tt]imed out|too slow|returned error: (?:429|5\d\d)",
        "{place} cannot be reached",
        "it is tried again",
    ),
    (
        r"protocol error|bad line length|not valid: is this a git repository|invalid server response|bad pack header"
        r"|invalid \S+ response|index-pack|unpack-objects|expected |bad object|inflate|Could not read from remote",
        "{place} does not answer as a Git server does",
        "is the URL right? It is tried again",
    ),
    (r"transport '.*' not allowed", "{place} leads to another protocol", "use its new URL"),
)  # fmt: skip

_TABLE: Final = tuple((re.compile(pattern), message, hint) for pattern, message, hint in _ROWS)

_NAMES: Final = re.compile(r"'[^']*'|\S+://\S+|refs/\S+")
"""URLs, files and references: a repository may be called `certificates`, and that is no trouble with one."""

_LONGEST: Final = 300


def explain(done: Done, place: str) -> SourceError:
    """The error for a command that failed while it dealt with *place*."""
    lines = [(line, _NAMES.sub("''", line)) for line in _lines(done.err)]
    for pattern, message, hint in _TABLE:
        for line, words in lines:
            if pattern.search(words):
                return SourceError(f"{message.format(place=place)}: {_bare(line)}", hint=hint)
    return SourceError(f"git failed with {place}: {said_last(done.err) or f'exit code {done.code}'}")


def said_last(err: str) -> str:
    """The one line of what git said that tells most: the last fatal one, else the last error, else the last."""
    own = [line for line in _lines(err) if not line.startswith(("remote:", "hint:"))]
    for mark in ("fatal:", "error:", ""):
        found = [line for line in own if line.startswith(mark)]
        if found:
            return _bare(found[-1])
    return ""


def _lines(err: str) -> list[str]:
    lines = ("".join(c if c.isprintable() else " " for c in line).strip() for line in err.splitlines())
    return [line for line in lines if line]


def _bare(line: str) -> str:
    """A line without the word that git begins it with, and not too long to be shown."""
    text = re.sub(r"^(?:remote: |fatal: |error: |ERROR: )+", "", line)
    return f"{text[:_LONGEST]}…" if len(text) > _LONGEST else text
