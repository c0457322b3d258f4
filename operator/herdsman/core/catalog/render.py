"""A deployment of an entry to its job: the entry's HCL2 as it stands, and the variables to parse it with.

Values never become text of the jobspec, and secrets never become values of it: what the job holds of a secret is the
path of the Nomad variable that its template reads, and whether there is one. Only variables that the jobspec declares
are set, so that a fact that a job does not use can change without touching it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

from herdsman.core.catalog.limits import narrow
from herdsman.core.catalog.resolve import resolve
from herdsman.core.problems import Fault
from herdsman.core.spelling import one_of, shown
from herdsman.model import names
from herdsman.model.catalog import (
    DEPLOYMENT_ID,
    JOBSPEC,
    NO_LIMITS,
    SECRETS_GIVEN,
    SECRETS_PATH,
    Entry,
    Facts,
    Limits,
    Rendered,
    Resolved,
    Site,
    place,
)
from herdsman.model.desired import HclSource

SERVICE_PROVIDERS: Final = ("nomad", "consul")


def render(
    entry: Entry, given: object, *, facts: Facts, site: Site, limits: Limits = NO_LIMITS
) -> Rendered | tuple[Fault, ...]:
    """The job of a deployment that asks for *given*, or all that is wrong with it.

    The place of a fault begins with `parameters`, or is the name of a fact.
    """
    resolved = resolve(narrow(entry, limits), given)
    wrong = tuple(fact_faults(facts, site))
    if not isinstance(resolved, Resolved):
        return (*wrong, *(fault._replace(loc=("parameters", *fault.loc)) for fault in resolved))
    if wrong:
        return wrong
    variables = variables_for(entry, resolved, facts=facts, site=site)
    source = HclSource(entry.hcl, variables, place(entry.folder, JOBSPEC).path)
    return Rendered(source, resolved, facts.secrets_path)


def variables_for(entry: Entry, resolved: Resolved, *, facts: Facts, site: Site) -> Mapping[str, Any]:
    """The values of the HCL2 variables that the entry's jobspec declares. No secret is among them."""
    hidden = {p.key for p in entry.parameters if p.display or p.secret}
    given = {key for key, secret in resolved.secrets.items() if secret} | resolved.generate.keys()
    known: dict[str, Any] = {key: value for group in resolved.values.values() for key, value in group.items()}
    known = {key: value for key, value in known.items() if key not in hidden}
    known |= asdict(facts) | asdict(site)
    known |= {SECRETS_PATH: facts.secrets_path, SECRETS_GIVEN: sorted(given)}
    return {v.name: known[v.name] for v in entry.outline.variables if v.name in known}


# -- facts -------------------------------------------------------------------------------------------------------------

_HOST: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
_REGISTRY: Final = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?(?:/[a-z0-9][a-z0-9._-]*)*)?"
_URL: Final = r"(?:https?://[^\s$%\"'<>\\^`{|}]+)?"
_LONGEST_OWNER: Final = 512

_FORMS: Final[Mapping[str, tuple[str, str]]] = {
    "deployment_id": (DEPLOYMENT_ID, "small letters, digits and -, at most 48: it becomes a part of host names"),
    "namespace": (names.NAMESPACE, "letters, digits and -, at most 128"),
    "domain": (_HOST, "a host name, like deployments.example.org"),
    "registry": (_REGISTRY, "a host, with a port or a path behind it where it needs one; empty for the default"),
    "platform_registry": (_REGISTRY, "a host, with a port or a path behind it where it needs one"),
    "notify_url": (_URL, "an address that begins with https:// or http://"),
    "node_type": (r"[A-Za-z0-9_-]{1,64}", "letters, digits, - and _"),
}


def fact_faults(facts: Facts, site: Site) -> Iterator[Fault]:
    """What of the facts cannot stand in a job. Of these only the ID, the namespace and the owner come from outside."""
    known: dict[str, Any] = asdict(facts) | asdict(site)
    for name, (pattern, hint) in _FORMS.items():
        if not names.fits(pattern, known[name]):
            yield Fault((name,), f"{shown(known[name])} does not do", hint)
    if not facts.owner or len(facts.owner) > _LONGEST_OWNER or not facts.owner.isprintable():
        yield Fault(("owner",), f"expected one line of at most {_LONGEST_OWNER} characters")
    elif re.search(r"[$%]\{", facts.owner):
        yield Fault(("owner",), "may not hold ${ or %{", "Nomad would take what follows for an expression")
    if site.service_provider not in SERVICE_PROVIDERS:
        yield Fault(("service_provider",), f"expected {one_of(SERVICE_PROVIDERS)}, got {shown(site.service_provider)}")
    if not 1 <= facts.priority <= 100:
        yield Fault(("priority",), f"expected 1 to 100, got {facts.priority}")
