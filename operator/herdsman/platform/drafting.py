"""A wish checked as the loop will check it: against entry, limits, fleet and quotas, before anything is written.

What comes of it is a draft: the very bytes of the spec file, and the job that they ask for. The loop decides anew, from
what is written; a draft that passes here and fails there fails with the same words.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from herdsman.core.catalog import find, narrow, resolve
from herdsman.core.deployments import Decrypt, Workshop
from herdsman.core.desire import desire
from herdsman.core.parse import parse_file
from herdsman.core.problems import Fault
from herdsman.core.quota import Claim, demand_of, held
from herdsman.core.redact import MASK
from herdsman.core.spelling import did_you_mean
from herdsman.errors import NomadError, Refused
from herdsman.looking import Ports
from herdsman.model.catalog import Catalog, Entry, Limits, Resolved, Site
from herdsman.model.desired import Desired, DesiredJob, DesiredNamespace, Order, Rejection
from herdsman.model.documents import is_encrypted
from herdsman.model.keys import Key, job_key, namespace_key
from herdsman.model.observed import Body
from herdsman.model.quotas import ONE
from herdsman.model.sources import Snapshot, SourceFile
from herdsman.platform.documents import dump
from herdsman.platform.errors import Exceeded, FieldFault, NotNow, NotThere, Unfitting
from herdsman.platform.shape import Shape, shape_of
from herdsman.platform.words import discreet

Conf = Mapping[str, Mapping[str, Any] | None]

NO_SECRETS: Final = "this operator has nothing to encrypt a secret with, and none is kept in clear"
_PLACES: Final = (("spec.parameters", "conf"), ("metadata.namespace", "vo"), ("spec.", ""))
"""Where the fields of a document come from in a request."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A spec that may be written. *body* is None where nobody could parse the jobspec now."""

    path: str
    content: bytes
    order: Order
    wanted: DesiredJob
    desired: Desired
    body: Body | None

    @property
    def shape(self) -> Shape | None:
        """What a user is shown of the job."""
        return shape_of(self.body) if self.body is not None else None


class Drafting:
    """Safe from any thread. *encrypt* and *decrypt* are of the operator's age identity."""

    def __init__(
        self,
        *,
        catalog: Callable[[], Catalog],
        desired: Callable[[], Desired],
        ports: Ports,
        site: Site,
        limits: Mapping[str, Limits],
        encrypt: Callable[[str], str] | None = None,
        decrypt: Decrypt | None = None,
    ) -> None:
        self._catalog, self._desired, self._ports, self._site = catalog, desired, ports, site
        self._limits, self._encrypt, self._decrypt = limits, encrypt, decrypt

    # -- entries and their parameters --

    def entry(self, section: str, name: str) -> Entry:
        """The entry of that name. Raises `NotThere`."""
        found = find(self._catalog(), f"{section}/{name}")
        if isinstance(found, Fault):
            raise NotThere(found.message, hint=found.hint)
        return found

    def version(self, order: Order) -> Entry:
        """The version of its entry that a deployment stays at, or the newest."""
        if order.upgrade == "pin" and order.template:
            kept = self._ports.store.template(order.template)
            if kept is not None:
                return kept
        return self.entry(*order.entry.split("/", 1))

    def seen_by(self, entry: Entry, namespace: str) -> Entry:
        """The entry as a namespace may use it."""
        return narrow(entry, self._limits.get(namespace, Limits(namespace)))

    def parameters(self, entry: Entry, namespace: str, conf: Conf, *, before: Conf | None = None) -> dict[str, Any]:
        """*conf* as it is to be written: what is in it checked, and its secrets sealed. Where a secret is the mask that
        readers get, the one from *before* stays. Raises `Unfitting` with every fault at once."""
        given: dict[str, Any] = {g: dict(v) if isinstance(v, Mapping) else v for g, v in conf.items()}
        kept = _kept(entry, given, before or {})
        opened, faults = self._opened(entry, given)
        found = resolve(self.seen_by(entry, namespace), opened)
        if not isinstance(found, Resolved):
            faults += [_of_conf(fault) for fault in found if not _is_about(fault, kept)]
        faults += self._seal(entry, given, kept)
        if faults:
            raise Unfitting("the configuration does not fit", faults=faults)
        for (group, key), sealed in kept.items():
            given.setdefault(group, {})[key] = sealed
        return {g: v for g, v in given.items() if v}

    def _opened(self, entry: Entry, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[FieldFault]]:
        """What was given, with secrets that came encrypted in clear, to be checked."""
        opened: dict[str, Any] = {g: dict(v) if isinstance(v, dict) else v for g, v in given.items()}
        faults: list[FieldFault] = []
        for p in entry.secrets:
            values = opened.get(p.group)
            if isinstance(values, dict) and is_encrypted(values.get(p.key)):
                try:
                    if self._decrypt is None:
                        raise NotNow(NO_SECRETS)
                    values[p.key] = self._decrypt(values[p.key]).removesuffix("\n")
                except Exception as error:  # noqa: BLE001 - of whatever age says, only that it did not go is told
                    words = NO_SECRETS if isinstance(error, NotNow) else "it is not encrypted for this operator"
                    faults.append(FieldFault(f"conf.{p.path}", words))
                    del values[p.key]
        return opened, faults

    def _seal(self, entry: Entry, given: Mapping[str, Any], kept: Mapping[tuple[str, str], str]) -> list[FieldFault]:
        """Encrypt every secret in *given* that stands there in clear."""
        faults: list[FieldFault] = []
        for p in entry.secrets:
            values = given.get(p.group)
            value = values.get(p.key) if isinstance(values, dict) else None
            if not isinstance(value, str) or value in ("", p.default) or is_encrypted(value):
                continue
            if (p.group, p.key) in kept:
                continue
            if self._encrypt is None:
                faults.append(FieldFault(f"conf.{p.path}", NO_SECRETS, "install herdsman[age], set --age-identity"))
            else:
                assert isinstance(values, dict)
                values[p.key] = self._encrypt(value)
        return faults

    # -- drafts --

    def draft(self, path: str, document: Mapping[str, Any], *, parse: bool = True) -> Draft:
        """The document, understood as the loop will. Raises `Unfitting`."""
        content = dump(document)
        desired = self._desire(path, document)
        order = next(iter(desired.orders.values()), None)
        wanted = desired.wanted.get(order.key) if order is not None else None
        if desired.rejections or order is None or not isinstance(wanted, DesiredJob):
            raise Unfitting("this cannot be deployed", faults=[_of_document(r) for r in desired.rejections])
        return Draft(path, content, order, wanted, desired, self._body(wanted) if parse else None)

    def _desire(self, path: str, document: Mapping[str, Any]) -> Desired:
        """What it asks for, alone: what it may depend on stands in other files."""
        alone = {**document, "spec": {k: v for k, v in document["spec"].items() if k != "policy"}}
        data, fleet = dump(alone), self._desired().fleet
        snapshot = Snapshot("draft", {path: SourceFile(path, data, sha256(data).hexdigest())})
        workshop = Workshop(
            catalog=self._catalog(),
            site=self._site,
            decrypt=self._decrypt,
            kept=self._ports.store.template,
            applied=lambda key: self._ports.store.memory(key).template,
            now=self._ports.clock.now(),
        )
        parsed = [parse_file(path, data)]
        return desire(parsed, snapshot, default_fleet=fleet.name, last_fleet=fleet, workshop=workshop)

    def _body(self, wanted: DesiredJob) -> Body | None:
        try:
            return self._ports.body(wanted)
        except Refused as error:
            raise Unfitting("Nomad does not take its jobspec", faults=[FieldFault("conf", error.message)]) from None
        except NomadError:
            return None  # the loop will ask again

    # -- quotas --

    def over_quota(self, draft: Draft, others: Mapping[Key, Order]) -> str:
        """Why the quotas, as far as anybody can tell now, leave no room; "" where they do. The loop has the last word.

        *others* are all deployments, those among them that were ordered a moment ago.
        """
        order, memory = draft.order, self._ports.store.memory(draft.order.key)
        asks = demand_of(draft.body) if draft.body is not None and not order.stopped else ONE
        holds = (memory.demand or ONE) if memory.known and not memory.ended else None
        return self._held(Claim(order.key, order.owner, order.created, asks, holds), others)

    def admit(self, draft: Draft, others: Mapping[Key, Order]) -> None:
        """Raises `Exceeded` where `over_quota` finds a reason."""
        _refuse(self.over_quota(draft, others))

    def admit_one(self, namespace: str, owner: str, others: Mapping[Key, Order]) -> None:
        """Raises `Exceeded` where there may not be one more, whatever it is: known before anything is made of it."""
        _refuse(self._held(Claim(job_key(namespace, ""), owner, None, ONE), others))

    def _held(self, claim: Claim, others: Mapping[Key, Order]) -> str:
        home = self._desired().wanted.get(namespace_key(claim.key.namespace))
        if not isinstance(home, DesiredNamespace) or home.quotas is None:
            return ""
        now, claims = self._ports.clock.now().timestamp(), [claim]
        for key, order in others.items():
            if key.namespace == claim.key.namespace and key != claim.key and (order.expires or now + 1) > now:
                memory, wanted = self._ports.store.memory(key), self._desired().wanted.get(key)
                if isinstance(wanted, DesiredJob) and memory.completed == wanted.digest:
                    continue  # it came to its end, and holds nothing
                asks = memory.demand or ONE
                claims.append(Claim(key, order.owner, order.created, asks, asks))
        return discreet(held(claims, home.quotas).get(claim.key, ""))


def _refuse(words: str) -> None:
    if words:
        raise Exceeded(words, hint="remove a deployment that is not needed, or ask for less")


def _kept(entry: Entry, given: dict[str, Any], before: Conf) -> dict[tuple[str, str], str]:
    """The secrets that stay: taken out of *given*, where the mask stands for them."""
    kept: dict[tuple[str, str], str] = {}
    for p in entry.secrets:
        values = given.get(p.group)
        if isinstance(values, dict) and values.get(p.key) == MASK:
            old = (before.get(p.group) or {}).get(p.key)
            del values[p.key]
            if isinstance(old, str) and old:
                kept[p.group, p.key] = old
    return kept


def _is_about(fault: Fault, kept: Mapping[tuple[str, str], str]) -> bool:
    return len(fault.loc) >= 2 and (str(fault.loc[0]), str(fault.loc[1])) in kept


def _of_conf(fault: Fault) -> FieldFault:
    hint = did_you_mean(str(fault.loc[-1]), fault.known) if fault.known else fault.hint
    return FieldFault(".".join(("conf", *map(str, fault.loc)))[:300], fault.message, hint)


def _of_document(rejection: Rejection) -> FieldFault:
    name = rejection.field
    for begin, instead in _PLACES:
        if name.startswith(begin):
            name = instead + name.removeprefix(begin)
            break
    return FieldFault(name, rejection.message, rejection.hint)


def with_texts(
    entry: Entry, conf: Mapping[str, Any], texts: Mapping[str, str], taken: Sequence[str] = ("title", "desc")
) -> tuple[dict[str, Any], dict[str, str]]:
    """Title and description where the entry has them as parameters; what is left belongs to the spec itself."""
    merged: dict[str, Any] = {g: dict(v) if isinstance(v, Mapping) else v for g, v in conf.items()}
    left = dict(texts)
    for key in taken:
        text = left.get(key, "")
        general = merged.setdefault("general", {}) if key in entry.groups.get("general", {}) else None
        if text and isinstance(general, dict):
            general.setdefault(key, text)
            left.pop(key)
    return {g: v for g, v in merged.items() if v or g in conf}, left


def with_script(entry: Entry, conf: Conf, script: str | None) -> Conf:
    """*conf* with the *script* of a batch job; None is no batch job. Raises `Unfitting` where *entry* takes none."""
    if script is None:
        return conf
    if entry.script is None:
        message = f"{entry.id} runs no scripts: none of its parameters is one"
        hint = "take an entry that has a parameter with batch: true, or deploy this one as it is"
        raise Unfitting(message, hint=hint, faults=[FieldFault("catalog", message, hint)])
    if not script:
        raise Unfitting("a batch job needs a script", faults=[FieldFault("script", "missing", "what bash is to run")])
    group, given = entry.script.group, conf.get(entry.script.group) or {}
    return {**conf, group: {**given, entry.script.key: script}}


def check_batch(entry: Entry, order: Order, *, batch: bool) -> None:
    """Nomad makes no batch job of another, nor another of one: each stays where it was ordered. Raises `Unfitting`."""
    if order.batch is not batch and entry.script is not None:
        field = f"conf.{entry.script.path}"
        hint = "order a batch job where those are" if order.batch else "a batch job stays one: give its script again"
        message = "only a batch job has one" if order.batch else "missing"
        raise Unfitting("a batch job has a script, and nothing else has", faults=[FieldFault(field, message, hint)])
