"""A request, read: its path, its parameters, its body, and what its token may do."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import orjson

from herdsman.devnomad.clock import SECOND
from herdsman.devnomad.durations import DurationError, parse_duration
from herdsman.devnomad.errors import REGION, BadRequest, Denied, Refused
from herdsman.devnomad.http import gojson
from herdsman.devnomad.structs.bodies import decode_body
from herdsman.devnomad.structs.decode import DecodeError
from herdsman.devnomad.types import JobKey, Row

if TYPE_CHECKING:
    from herdsman.devnomad.acl.access import Access
    from herdsman.devnomad.agent import Agent

DEFAULT_WAIT: Final = 300.0
LONGEST_WAIT: Final = 600.0
ALL: Final = "*"
_OF_THE_AGENT: Final = ("/v1/agent/", "/v1/regions", "/v1/metrics")
_READ_OTHERWISE: Final = (*_OF_THE_AGENT, "/v1/event/stream")
_LONGEST_PAGE: Final = 2**31
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,20}")
_YES: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_NO: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})


def _whole(text: str, *, signed: bool = True) -> int | None:
    """A whole number as Go reads it; none where the text is none."""
    if _NUMBER.fullmatch(text) is None or (not signed and text[0] in "+-"):
        return None
    return int(text)


class Call:
    """One request."""

    __slots__ = ("_access", "agent", "between", "body", "headers", "method", "params", "path", "query")

    def __init__(
        self, agent: "Agent", *, method: str, path: str, query: bytes, headers: Mapping[str, str], body: bytes
    ) -> None:
        self.agent, self.method, self.path = agent, method, path
        self.query = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        self.params = dict(reversed(self.query))
        self.headers, self.body = headers, body
        self.between = ""
        self._access: Access | None = None

    # -- parameters ------------------------------------------------------------------------------------------------
    def param(self, name: str) -> str:
        """A parameter, empty where it is missing."""
        return self.params.get(name, "")

    def flag(self, name: str) -> bool:
        """A parameter that says yes or no; refused where it says something else."""
        text = self.params.get(name) or "false"
        if text in _YES:
            return True
        if text in _NO:
            return False
        raise self._unreadable(name, "bool", "ParseBool")

    def lenient(self, name: str) -> bool:
        """A parameter that says yes; whatever else it says is no."""
        return self.param(name) in _YES

    def number(self, name: str, *, default: int = 0) -> int:
        """A parameter that is a whole number."""
        text = self.params.get(name)
        if not text:
            return default
        number = _whole(text)
        if number is None:
            raise self._unreadable(name, "int", "Atoi")
        return number

    def _unreadable(self, name: str, kind: str, function: str) -> Refused:
        text = self.params[name]
        complaint = f'strconv.{function}: parsing "{text}": invalid syntax'
        return Refused(f'Failed to parse value of "{name}" ({text}) as a {kind}: {complaint}')

    def check_query(self) -> None:
        """Refuse a query whose index, wait or page size cannot be read, whether or not anybody makes use of it."""
        if self.query and not self.path.startswith(_READ_OTHERWISE):
            _ = self.per_page, self.min_index, self.wait

    @property
    def backwards(self) -> bool:
        """Whether a list is wanted the other way round; any other word than `true` does not ask for that."""
        return self.param("reverse") == "true"

    @property
    def per_page(self) -> int:
        """How long a page is at most (0: as long as it gets)."""
        text = self.param("per_page")
        if not text:
            return 0
        size = _whole(text)
        if size is None or not -_LONGEST_PAGE <= size < _LONGEST_PAGE:
            raise BadRequest("Expect a number for `per_page` query string parameter")
        return size

    @property
    def pretty(self) -> bool:
        """Whether the answer is for people's eyes."""
        return self.params.get("pretty", "0") != "0"

    @property
    def of_this_region(self) -> bool:
        """Whether the request is for this region's server, or for the agent that it reached."""
        return self.params.get("region") in {None, "", REGION} or self.path.startswith(_OF_THE_AGENT)

    @property
    def namespace(self) -> str:
        """The namespace asked for; `*` means all that may be seen."""
        return self.params.get("namespace") or "default"

    @property
    def prefix(self) -> str:
        """What the listed things begin with."""
        return self.param("prefix")

    @property
    def min_index(self) -> int:
        """The index to wait for something beyond (0: do not wait)."""
        text = self.param("index")
        if not text:
            return 0
        index = _whole(text, signed=False)
        if index is None:
            raise BadRequest("Invalid index")
        return index

    @property
    def wait(self) -> float:
        """How long to wait, in seconds."""
        text = self.param("wait")
        if not text:
            return DEFAULT_WAIT
        try:
            seconds = parse_duration(text) / SECOND
        except DurationError:
            raise BadRequest("Invalid wait time") from None
        return min(seconds, LONGEST_WAIT) if seconds > 0 else DEFAULT_WAIT

    def job_key(self) -> JobKey:
        """The job that the path names."""
        return self.namespace, self.between

    # -- body ------------------------------------------------------------------------------------------------------
    def json(self, *, optional: bool = False) -> Any:
        """The body, decoded; BadRequest with Go's words where it is no JSON."""
        if not self.body.strip():
            if optional:
                return {}
            raise BadRequest("Request body is empty" if not self.body else "EOF")
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return gojson.loads(self.body)

    def request(self, name: str, *, optional: bool = False) -> Row:
        """The body as this Go type (`structs.JobRevertRequest`); BadRequest where it is something else."""
        try:
            return decode_body(name, self.json(optional=optional))
        except DecodeError as error:
            raise BadRequest(str(error)) from error

    # -- rights ----------------------------------------------------------------------------------------------------
    @property
    def secret(self) -> str:
        """The token that came with the request."""
        bearer = self.headers.get("authorization", "")
        if bearer.lower().startswith("bearer "):
            return bearer[7:].strip()
        return self.headers.get("x-nomad-token", "").strip()

    @property
    def access(self) -> "Access":
        """What the token may do; Denied where it is none."""
        if self._access is None:
            self._access = self.agent.access_of(self.secret)
        return self._access

    def require(self, allowed: object) -> None:
        """Go on only where this is allowed."""
        if not allowed:
            raise Denied

    def may(self, *capabilities: str, namespace: str | None = None) -> None:
        """Go on only with one of these capabilities in the namespace."""
        wanted = self.namespace if namespace is None else namespace
        self.require(any(self.access.namespace(wanted, capability) for capability in capabilities))

    def may_register(self, *capabilities: str, namespace: str | None = None) -> None:
        """Go on only where jobs may be registered, dispatched, scaled: an operator may have closed that to others."""
        self.may(*capabilities, namespace=namespace)
        closed = (self.agent.store.setting("scheduler") or {}).get("RejectJobRegistration")
        if closed and not (self.agent.acl_enabled and self.access.everything):
            raise Denied("Job registration, dispatch, and scale are disabled by the scheduler configuration")

    def may_list(self, capability: str) -> list[str] | None:
        """The namespaces to list: none means all. Denied where not even one may be seen."""
        if self.namespace != ALL:
            self.may(capability)
            return [self.namespace]
        if self.access.everything:
            return None
        seen = [name for name, _ in self.agent.store.namespaces.items() if self.access.namespace(name, capability)]
        self.require(seen)
        return seen
