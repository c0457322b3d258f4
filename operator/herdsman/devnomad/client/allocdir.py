"""An allocation's directory, laid out as Nomad does: `alloc/` shared by all tasks, and one directory for each task."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SHARED: Final = ("data", "logs", "tmp")
_OWN: Final = ("local", "secrets", "private", "tmp")


@dataclass(frozen=True, slots=True)
class AllocDir:
    """The paths of one allocation."""

    root: Path

    @property
    def shared(self) -> Path:
        """What all tasks share."""
        return self.root / "alloc"

    @property
    def logs(self) -> Path:
        """Where what tasks say is kept."""
        return self.shared / "logs"

    def task(self, name: str) -> Path:
        """A task's own directory."""
        return self.root / name

    def build_shared(self) -> None:
        """Make what all tasks share."""
        for each in _SHARED:
            (self.shared / each).mkdir(parents=True, exist_ok=True)

    def build_task(self, name: str) -> None:
        """Make a task's directory."""
        self.build_shared()
        for each in _OWN:
            (self.task(name) / each).mkdir(parents=True, exist_ok=True)

    def exists(self) -> bool:
        """Whether any of it was made."""
        return self.root.is_dir()

    def destroy(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.root, ignore_errors=True)

    def adopt(self, other: "AllocDir", tasks: list[str]) -> None:
        """Take over the data of an allocation that this one replaces (`ephemeral_disk { sticky = true }`)."""
        if not other.exists():
            return
        shutil.copytree(other.shared / "data", self.shared / "data", dirs_exist_ok=True)
        for name in tasks:
            local = other.task(name) / "local"
            if local.is_dir():
                shutil.copytree(local, self.task(name) / "local", dirs_exist_ok=True)
