"""From a snapshot to what it asks for. Files that did not change since the last snapshot are not parsed again."""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache

import orjson

from herdsman.core.deployments import Decrypt, Known, Workshop
from herdsman.core.desire import desire, nothing
from herdsman.core.ignore import IGNORE_FILE, bad_rules, ignored, is_spec
from herdsman.core.parse import ParsedFile, parse_file
from herdsman.errors import Refused
from herdsman.model.catalog import Catalog, Site
from herdsman.model.desired import Desired, DesiredJob
from herdsman.model.keys import Key
from herdsman.model.observed import STAMP, Body
from herdsman.model.sources import Snapshot, SourceFile
from herdsman.ports import Clock, HclParser, StatusStore


class Loader:
    """Understands snapshots, one after the other. *fleet* is the name where no Fleet document gives one.

    *catalogs* answers the catalog that goes with a snapshot, *site* is what every deployment is told of its cluster,
    and *decrypt* opens what is encrypted in specs; without *clock* every sync window counts as closed.
    """

    def __init__(
        self,
        *,
        fleet: str,
        store: StatusStore,
        catalogs: Callable[[Snapshot], Catalog] = lambda snapshot: Catalog(),
        site: Site | None = None,
        decrypt: Decrypt | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._fleet, self._store = fleet, store
        self._catalogs, self._site, self._clock = catalogs, site or Site(), clock
        self._decrypt = _remembering(decrypt) if decrypt is not None else None
        self._made = Known()
        self._parsed: dict[tuple[str, str], ParsedFile] = {}

    def nothing(self) -> Desired:
        """What is wanted before the first snapshot."""
        return nothing(self._fleet)

    def load(self, snapshot: Snapshot) -> Desired:
        """All that *snapshot* asks for; bad input is part of the answer."""
        rules = _text(snapshot.files.get(IGNORE_FILE))
        snapshot = replace(snapshot, files=_heeded(snapshot.files, rules))
        self._parsed = {(f.path, f.digest): self._parse(f) for f in specs(snapshot.files, rules)}
        parsed = [*self._parsed.values(), ParsedFile(IGNORE_FILE, rejections=bad_rules(rules))]
        last, workshop = self._store.fleet(), self._workshop(parsed, snapshot)
        desired = desire(parsed, snapshot, default_fleet=self._fleet, last_fleet=last, workshop=workshop)
        self._keep_templates(desired, workshop.catalog)
        if desired.fleet != last and not desired.blocked:
            self._store.put_fleet(desired.fleet)
        return desired

    def _workshop(self, parsed: Iterable[ParsedFile], snapshot: Snapshot) -> Workshop:
        """What deployments are made with; where there are none, no catalog is read."""
        ordered = any(d.kind == "Deployment" for file in parsed for d in file.documents)
        self._made.begin()
        return Workshop(
            catalog=self._catalogs(snapshot) if ordered else Catalog(),
            site=self._site,
            decrypt=self._decrypt,
            kept=self._store.template,
            applied=lambda key: self._store.memory(key).template,
            now=self._clock.now() if self._clock is not None else None,
            known=self._made,
        )

    def _keep_templates(self, desired: Desired, catalog: Catalog) -> None:
        """A version of an entry that a deployment is made from outlives the catalog: some stay at it."""
        used = {(order.entry, order.template) for order in desired.orders.values() if order.template}
        for name, digest in sorted(used):
            entry = catalog.entries.get(name)
            if entry is not None and entry.digest == digest and self._store.template(digest) is None:
                self._store.keep_template(entry)

    def _parse(self, file: SourceFile) -> ParsedFile:
        known = self._parsed.get((file.path, file.digest))
        return known if known is not None else parse_file(file.path, file.data or b"")


def _remembering(decrypt: Decrypt) -> Decrypt:
    """The same, for a snapshot is understood many times; what is wrong with a text is looked at again."""
    return lru_cache(maxsize=10_000)(decrypt)


def specs(files: Mapping[str, SourceFile], rules: str) -> list[SourceFile]:
    """The files that hold specs, by path: readable, of the right name, and not ignored by *rules*."""
    skip = ignored(rules)
    return [f for p, f in sorted(files.items()) if f.data is not None and is_spec(p) and not skip(p)]


def _heeded(files: Mapping[str, SourceFile], rules: str) -> Mapping[str, SourceFile]:
    """The files without those that could not be read and that *rules* say to ignore: they hold nothing up."""
    skip = ignored(rules)
    return {p: f for p, f in files.items() if f.data is not None or not (skip(p) or skip(f"{p}/"))}


def _text(file: SourceFile | None) -> str:
    return "" if file is None or file.data is None else file.data.decode("utf-8", "replace")


class Bodies:
    """The job body that a spec asks for. What an HCL2 jobspec comes to is remembered by its digest."""

    def __init__(self, parser: HclParser, *, most: int = 2000) -> None:
        self._parser, self._most = parser, most
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[Key, str], bytes] = OrderedDict()

    def __call__(self, wanted: DesiredJob) -> Body:
        """The body, without stamp. Raises `Refused` where the jobspec is wrong, `Unavailable` where nobody parses."""
        if wanted.body is not None:
            body: Body = orjson.loads(wanted.body)
            return body
        name = (wanted.key, wanted.digest)  # one jobspec under two names is right for one of them at most
        with self._lock:
            known = self._known.get(name)
        if known is None:
            known = orjson.dumps(self._parse(wanted))
            with self._lock:
                self._known[name] = known
                while len(self._known) > self._most:
                    self._known.popitem(last=False)
        parsed: Body = orjson.loads(known)
        return parsed

    def _parse(self, wanted: DesiredJob) -> Body:
        hcl, key = wanted.hcl, wanted.key
        assert hcl is not None
        try:
            body = dict(self._parser.parse(hcl.text, variables=hcl.variables, namespace=key.namespace))
        except Refused as error:
            words = at_home(error.message, hcl.path, hcl.offset)
            raise type(error)(words, hint=error.hint, status=error.status) from None
        for field, name, expected in (
            ("ID", "job", key.name),
            ("Name", "name", key.name),
            ("Namespace", "namespace", key.namespace),
        ):
            found = body.get(field)
            if found not in (None, "", expected):
                raise Refused(
                    f"{hcl.path}: the jobspec's {name} is {found!r}, but metadata says {expected!r}",
                    hint="one of them is wrong; metadata decides what the job is called",
                )
            body[field] = expected
        if STAMP in (body.get("Meta") or {}):
            raise Refused(f"{hcl.path}: meta.{STAMP} is Herdsman's own; remove it")
        return body


_PLACE = re.compile(r"\b(?:input\.hcl|[\w.-]*\.hcl):(\d+),(\d+)(?:-(?:\d+,)?\d+)?")


def at_home(message: str, path: str, offset: int) -> str:
    """A parser's *message* with its places in terms of the file that a person edits."""
    return _PLACE.sub(lambda m: f"{path}:{int(m[1]) + offset}:{m[2]}", message)
