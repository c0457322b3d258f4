"""What a failed request means, sorted by what happens next.

Nomad's status codes say little: a lost compare-and-set and a bad job are both 500. So the text decides, by a table in
which the first row that fits wins. A 500 that no row knows is taken for trouble that passes: a retry can do no harm,
because every write is a compare-and-set. Texts that were forwarded from another server begin with `rpc error: `.
"""

import re
import socket
import ssl
from dataclasses import dataclass

import requests
from nomad.api.exceptions import BaseNomadException

from herdsman.errors import Conflict, Forbidden, NomadError, Refused, Unavailable

WORDS = 500
"""So much of what Nomad says is passed on."""

BRIEF = frozenset({429, 502, 503, 504})
"""Statuses that often pass within a second."""

_CUT = (ConnectionError, requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
_SLOW = (TimeoutError, requests.Timeout, ssl.SSLError)  # of these some are a ConnectionError, too

_HINTS = (
    (
        ssl.SSLCertVerificationError,
        "name its authority with NOMAD_CACERT, or the name in its certificate with NOMAD_TLS_SERVER_NAME",
    ),
    ((ConnectionRefusedError, FileNotFoundError, socket.gaierror), "is it running, and is this its address?"),
)

_FORWARDED = re.compile(r"\A(?:rpc error: )+")
_CODED = re.compile(r"\ARPC Error:: (\d{3}),\s*")
_BULLETS = re.compile(r"\d+ (?:errors? occurred|warnings?):\s*\*\s*")
_NEXT_BULLET = re.compile(r"\s*\n\s*\*\s*")


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: which answers it fits, and the error that they become."""

    becomes: type[NomadError]
    statuses: range | frozenset[int] = range(300, 600)
    text: str = ""  # a regular expression, searched for
    hint: str = ""

    def fits(self, status: int, text: str) -> bool:
        """Whether an answer is of this kind."""
        return status in self.statuses and re.search(self.text, text) is not None


FALLBACK = Rule(Unavailable)

RULES = (
    Rule(
        Forbidden,
        frozenset({401, 403}),
        hint="give the token the capability for this, or a token that has not expired",
    ),
    Rule(Forbidden, text=r"\A(Permission denied|ACL token (not found|expired))"),
    Rule(Conflict, text=r"\AEnforcing job modify index"),
    Rule(Conflict, frozenset({409})),
    Rule(Unavailable, range(300, 400), hint="something before Nomad redirects: check the address"),
    Rule(Unavailable, frozenset({408, 425, *BRIEF})),
    Rule(
        Unavailable,
        range(500, 600),
        text=r"(\A|rpc error: )(No cluster leader|EOF|unexpected EOF|failed to get conn|(read|write|dial) tcp)"
        r"|[Nn]ot ready to serve consistent reads|leadership lost|node is not the leader|deadline exceeded",
    ),
    # A namespace is emptied first: what was purged from it needs a moment to end, and then the same request is done.
    Rule(Unavailable, range(500, 600), text=r'namespace "[^"]*" has ', hint="what runs in it must end first"),
    Rule(Unavailable, frozenset({404}), text=r"\A\s*(\Z|<)|404 page not found", hint="is this the address of a Nomad?"),
    Rule(Refused, range(400, 500)),
    # What Nomad answers with 500 though it is the request that is wrong.
    Rule(Refused, text=r"\A\d+ errors? occurred:"),  # validation, admission, a namespace or node pool that is not there
    Rule(Refused, text=r"(?i)\Acan(not|'t| not) "),  # an update that may not be, the namespace `default`
    Rule(Refused, text=r"(?i)\A(missing|invalid) "),
    Rule(Refused, text=r"(?i)not found\Z"),
    Rule(Refused, text=r"\Ajob type cannot|\ADispatch (did|request)"),
    Rule(Refused, text=r"UUID must be|already exists on a different version"),
)


def rule_for(status: int, text: str) -> Rule:
    """The row of the table that an answer falls under."""
    return next((rule for rule in RULES if rule.fits(status, text)), FALLBACK)


def understand(error: Exception, *, what: str, place: str, secret: str) -> NomadError:
    """Turn what python-nomad raised while we tried to *what* into the error that says what happens next."""
    cause = error.nomad_resp if isinstance(error, BaseNomadException) else error
    if isinstance(cause, requests.Response):
        return refusal(cause, what=what, secret=secret)
    return silence(cause, what=what, place=place)


def refusal(response: requests.Response, *, what: str, secret: str = "") -> NomadError:
    """The error for an answer that is none. *secret* is the token: whoever echoes it is not quoted."""
    text = _FORWARDED.sub("", without(secret, response.text.strip()))
    coded = _CODED.match(text)
    status = int(coded[1]) if coded else response.status_code
    text = text[coded.end() :] if coded else text
    rule = rule_for(status, text)
    if rule.becomes is Conflict:
        # never its text: the conflicting variable comes back whole, with its secrets
        return Conflict(f"somebody was faster: Nomad did not {what}", status=status)
    said = words(text) or response.reason or "it gives no reason"
    if issubclass(rule.becomes, Refused):
        return rule.becomes(f"Nomad refuses to {what}: {said}", hint=rule.hint, status=status)
    return Unavailable(
        f"Nomad cannot {what} now: {status} {said}", hint=rule.hint, status=status, retry_after=_retry_after(response)
    )


def silence(error: Exception, *, what: str, place: str) -> Unavailable:
    """The error for no answer at all."""
    chain = _chain(error)
    hint = next((hint for kind, hint in _HINTS if any(isinstance(link, kind) for link in chain)), "")
    return Unavailable(f"Nomad at {place} could not be asked to {what}: {_reason(chain)}", hint=hint)


def is_brief(error: BaseException) -> bool:
    """Whether the same question may well be answered in a moment: never after a time-out, which has cost enough."""
    if not isinstance(error, Unavailable) or (error.retry_after or 0) > 1:
        return False
    if error.status:
        return error.status in BRIEF
    chain = _chain(error)
    return any(isinstance(link, _CUT) for link in chain) and not any(isinstance(link, _SLOW) for link in chain)


def explain(error: BaseException) -> str:
    """The reason at the bottom of an error, in a few words."""
    return _reason(_chain(error))


def without(secret: str, text: str) -> str:
    """A text that whoever wrote it may have put our token into."""
    return text.replace(secret, "…") if secret else text


def words(text: str) -> str:
    """What Nomad said, as one line of at most `WORDS` characters: its bulleted lists become sentences."""
    text = _NEXT_BULLET.sub("; ", _BULLETS.sub("", text))
    text = " ".join(text.split())
    return text if len(text) <= WORDS else text[: WORDS - 1].rstrip() + "…"


def _retry_after(response: requests.Response) -> float | None:
    """The seconds of `Retry-After`; its other form, a date, is not worth a clock."""
    value = response.headers.get("Retry-After", "").strip()
    return float(value) if value.isascii() and value.isdigit() else None


def _chain(error: BaseException | None) -> list[BaseException]:
    """An error and all that it came from, outermost first: requests hides them in three different places."""
    links: list[BaseException] = []
    todo = [error]
    while todo:
        link = todo.pop(0)
        if not isinstance(link, BaseException) or link in links:
            continue
        links.append(link)
        reason = getattr(link, "reason", None)
        todo += [reason, *link.args, link.__cause__, link.__context__]
    return links


def _reason(chain: list[BaseException]) -> str:
    for link in chain:
        if isinstance(link, ssl.SSLCertVerificationError):
            return f"its certificate is not valid: {link.verify_message or link.reason}"
    for link in chain:
        if isinstance(link, TimeoutError | requests.Timeout):
            return "no answer in time"
    for link in reversed(chain):
        if isinstance(link, OSError) and link.strerror:
            return link.strerror
    return words(str(chain[-1])) or type(chain[-1]).__name__
