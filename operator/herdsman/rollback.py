"""A rollback as Git sees it: edits that put one spec back as it was at an earlier commit. Nothing else is touched."""

from collections.abc import Set
from posixpath import dirname, join, normpath

from herdsman.core.restore import declaration, jobspec_of, restored
from herdsman.errors import UnknownError, UsageError
from herdsman.model.keys import Key
from herdsman.model.writes import FileEdit, digest
from herdsman.ports import SpecWriter


def edits(
    key: Key, *, path: str, earlier_path: str, revision: str, writer: SpecWriter, shared: Set[str]
) -> tuple[FileEdit, ...]:
    """What is to be written so that *key*, declared in *path* now, is as *earlier_path* declared it at *revision*.

    *shared* are the jobspecs that other specs use. Raises `UnknownError`, `UsageError` and what the writer raises.
    """
    at = f"commit {revision[:12]}"
    earlier = declaration(earlier_path, writer.read_at(earlier_path, revision), key)
    if earlier is None:
        raise UnknownError(f"{earlier_path} at {at} does not declare {key}", hint="herdsman history shows what does")
    now = writer.read(path)
    found = [_edit(path, now, restored(path, now, earlier, key))]
    name = jobspec_of(earlier)
    if name is not None:
        found.append(_jobspec(name, path, earlier_path, revision, writer, shared))
    changed = tuple(edit for edit in found if edit is not None)
    if not changed:
        raise UsageError(f"{key} is declared as at {at} already", hint="there is nothing to restore")
    return changed


def _jobspec(
    name: str, path: str, earlier_path: str, revision: str, writer: SpecWriter, shared: Set[str]
) -> FileEdit | None:
    """The jobspec beside the spec, as it was; its place moved with the spec's."""
    there = normpath(join(dirname(path), name))
    content = writer.read_at(normpath(join(dirname(earlier_path), name)), revision)
    edit = _edit(there, writer.read(there), content)
    if edit is not None and there in shared:
        raise UsageError(
            f"{there} is the jobspec of other specs too, and would change with this one",
            hint="restore it by hand, and look at what else changes",
        )
    return edit


def _edit(path: str, now: bytes | None, then: bytes | None) -> FileEdit | None:
    return None if now == then else FileEdit(path, then, expected=digest(now))
