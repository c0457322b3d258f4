"""Which files of a source are read at all, and which of those as specs.

A snapshot holds what may be a spec, or may be named by one (`relevant`). Specs are `.yaml`, `.yml` and `.json` files.
Not read as such are files below a hidden directory (`.git`, `.github`) and hidden files, the fleet's own catalog
(`catalog/modules/`, `catalog/tools/`), and what `.herdsmanignore` names, in gitignore syntax. A `.json` file with
`apiVersion` is always a spec; one without is the body of a job if some `Job` says `file:` to it
(`parse.ParsedFile.bare`), and an error otherwise.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError

from herdsman.core.spelling import quoted
from herdsman.model.desired import Position, Rejection

IGNORE_FILE: Final = ".herdsmanignore"

SUFFIXES: Final = (".yaml", ".yml", ".json")

RELEVANT: Final = (*SUFFIXES, ".hcl", ".nomad")

_CATALOG: Final = ("catalog/modules/", "catalog/tools/")


def relevant(name: str) -> bool:
    """Whether this is the name of a file that a snapshot holds."""
    return (name.endswith(RELEVANT) and not name.startswith(".")) or name == IGNORE_FILE


def is_spec(path: str) -> bool:
    """Whether the file at *path*, relative to the source's root, is one that may hold specs."""
    if not path.endswith(SUFFIXES) or path.startswith(_CATALOG):
        return False
    return not any(part.startswith(".") for part in path.split("/"))


def ignored(rules: str) -> Callable[[str], bool]:
    """A test for paths, by the text of a `.herdsmanignore`. Lines that are no patterns count for nothing."""
    bad = {number for number, _ in _bad_lines(rules)}
    lines = [line for number, line in enumerate(rules.splitlines(), 1) if number not in bad]
    return GitIgnoreSpec.from_lines(lines).match_file


def bad_rules(rules: str) -> tuple[Rejection, ...]:
    """The lines of a `.herdsmanignore` that are no patterns."""
    return tuple(
        Rejection(Position(IGNORE_FILE, number), f"not a pattern: {quoted(line)}", hint="the syntax is gitignore's")
        for number, line in _bad_lines(rules)
    )


def _bad_lines(rules: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(rules.splitlines(), 1):
        if not line.startswith("#") and not _is_pattern(line):
            yield number, line


_SET_IN_SET: Final = re.compile(r"\[[^\]]*(?:\[|--|&&|~~|\|\|)")
"""What Python's regular expressions, which patterns become, may one day read otherwise."""


def _is_pattern(line: str) -> bool:
    if _SET_IN_SET.search(line):
        return False
    try:
        GitIgnoreSpec.from_lines([line])
    except (GitIgnorePatternError, re.error):
        return False
    return True
