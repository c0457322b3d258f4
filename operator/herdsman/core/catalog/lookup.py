"""An entry by the name that a deployment says; or why there is none, and whether that may pass."""

from herdsman.core.problems import Fault
from herdsman.core.spelling import did_you_mean, shown
from herdsman.model.catalog import Catalog, Entry


def find(catalog: Catalog, entry_id: str) -> Entry | Fault:
    """The entry that is called *entry_id*, like `modules/hello-web`."""
    found = catalog.entries.get(entry_id)
    if found is not None:
        return found
    broken = catalog.broken.get(entry_id)
    if broken:
        return Fault(("catalog",), f"the entry {entry_id} is broken: {broken[0]}", "its author has to mend it")
    if catalog.problem:
        hint = "it is looked for again as soon as the catalog can be read"
        return Fault(("catalog",), f"{shown(entry_id)} is not known, for the catalog is not: {catalog.problem}", hint)
    namesakes = [id_ for id_ in catalog.entries if id_.rpartition("/")[2] == entry_id.rpartition("/")[2]]
    hint = f'did you mean "{namesakes[0]}"?' if namesakes else did_you_mean(entry_id, catalog.entries, what="there are")
    return Fault(("catalog",), f"there is no entry {shown(entry_id)}", hint)
