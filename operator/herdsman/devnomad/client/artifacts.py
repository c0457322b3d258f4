"""Artifacts from this machine: files and directories, copied; archives, unpacked. Nothing is fetched from a network."""

import hashlib
import shutil
import tarfile
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from herdsman.devnomad.types import Row

_ARCHIVES: Final = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar", ".zip")


class FetchError(Exception):
    """An artifact that cannot be had."""


def fetch(artifact: Row, root: Path) -> None:
    """Bring an artifact into a task's directory."""
    source = _local(artifact["GetterSource"])
    options = artifact["GetterOptions"] or {}
    target = (root / (artifact["RelativeDest"] or "local/")).resolve()
    if not target.is_relative_to(root.resolve()):
        raise FetchError(f"artifact destination {artifact['RelativeDest']!r} escapes the task directory")
    if "checksum" in options:
        _verify(source, options["checksum"])
    try:
        _copy(source, target, mode=artifact.get("GetterMode") or "any", unpack=options.get("archive") != "false")
    except (OSError, shutil.ReadError, tarfile.TarError) as error:
        raise FetchError(f"failed to download artifact {artifact['GetterSource']!r}: {error}") from error


def _local(source: str) -> Path:
    parts = urlsplit(source.removeprefix("file::"))
    if parts.scheme not in {"", "file"} or "::" in source.removeprefix("file::"):
        raise FetchError(
            f"failed to download artifact {source!r}: the embedded Nomad only takes artifacts from local paths; "
            "use a real Nomad, or a path"
        )
    path = Path(parts.path)
    if not path.exists():
        raise FetchError(f"failed to download artifact {source!r}: stat {path}: no such file or directory")
    return path


def _copy(source: Path, target: Path, *, mode: str, unpack: bool) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, symlinks=True)
    elif unpack and mode != "file" and source.name.endswith(_ARCHIVES):
        target.mkdir(parents=True, exist_ok=True)
        if source.name.endswith(".zip"):
            shutil.unpack_archive(source, target)
        else:
            _untar(source, target)
    elif mode == "file":
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    else:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target / source.name)


def _untar(source: Path, target: Path) -> None:
    """Unpack what stays inside *target*. Pythons before 3.11.4 cannot judge links: there, files and folders count."""
    with tarfile.open(source) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(target, filter="data")
            return
        for member in archive:
            inside = (target / member.name).resolve().is_relative_to(target.resolve())
            if inside and (member.isreg() or member.isdir()):
                archive.extract(member, target)


def _verify(source: Path, checksum: str) -> None:
    kind, _, wanted = checksum.partition(":")
    try:
        found = hashlib.new(kind, source.read_bytes()).hexdigest()
    except (ValueError, OSError) as error:
        raise FetchError(f"cannot verify checksum {checksum!r}: {error}") from error
    if found != wanted:
        raise FetchError(f"checksums did not match for {source}: expected {wanted}, got {found}")
