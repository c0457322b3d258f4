"""One process to a state directory."""

import subprocess
import sys
from pathlib import Path

import pytest

from herdsman.adapters.statelock import StateLock
from herdsman.errors import SettingsError

HOLD = (
    "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"
)


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    """While the first lives; its end, however it comes, lets the next one in."""
    StateLock(tmp_path).close()
    command = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline()
        with pytest.raises(SettingsError, match="another process keeps its state"):
            StateLock(tmp_path)
        other.kill()
    StateLock(tmp_path / "new").close()
    StateLock(tmp_path).close()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """It is said with its name."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"file.* cannot be used: "):
        StateLock(tmp_path / "file" / "state")
