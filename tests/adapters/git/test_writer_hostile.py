"""What a caller may try: names, messages, paths and contents of any kind never become anything but themselves."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.git.worlds import World
from adapters.git.writers import files, request, requests_of, show, writer
from gitservers import Repository
from herdsman.adapters.git.drafting import blob_id
from herdsman.adapters.git.writer import GitWriter
from herdsman.core.messages import MAX_MESSAGE, commit_message, person, request_id
from herdsman.errors import UsageError
from herdsman.model.writes import Author, FileEdit, WriteRequest, check_path

SOME = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(max_examples=200, deadline=None)

ANY = st.text(st.characters(codec=None), max_size=40)
LINES = st.lists(
    st.one_of(ANY, st.sampled_from(["Herdsman-Request-Id: other", " HERDSMAN-REQUEST-ID :x", "", "A: b", "from :1"])),
    max_size=6,
).map("\n".join)


@dataclass
class Open:
    """A writer, its repository, and how many requests it had."""

    writer: GitWriter
    fleet: Repository
    count: int = 0

    def next_id(self) -> str:
        """A request ID that is new."""
        self.count += 1
        return f"r{self.count}"


@pytest.fixture(scope="module")
def opened() -> Iterator[Open]:
    """One for all examples: a write that broke the next one would be seen."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        world = World(Path(folder), stack)
        fleet = world.repository()
        fleet.commit({"a.yaml": "a"})
        yield Open(writer(world), fleet)


@SOME
@given(name=ANY, email=ANY, message=LINES)
def test_people_and_messages(name: str, email: str, message: str, opened: Open) -> None:
    """Whatever they hold, there is one commit more, sound, by one author, with one trailer, which is ours."""
    before = opened.fleet.head()
    asked = WriteRequest(
        (FileEdit("n.yaml", opened.next_id().encode()),), Author(name, email), message, f"r{opened.count}"
    )
    written = opened.writer.write(asked)

    assert opened.fleet.git("rev-parse", f"{written.revision}^") == before
    opened.fleet.git("fsck", "--strict", "--no-dangling", written.revision)
    headers = opened.fleet.git("cat-file", "commit", written.revision).split("\n\n")[0].split("\n")
    assert [line.split(" ")[0] for line in headers] == ["tree", "parent", "author", "committer"]
    assert requests_of(opened.fleet)[-1] == f"r{opened.count}"
    assert not opened.writer.write(request(opened.next_id())).repeated


@pytest.mark.parametrize(
    ("name", "email", "shown"),
    [
        ("Ada\nparent 1234", "a@b", "Ada parent 1234 <a@b>"),
        ("Ada <root@x> 0 +0000\0", "a@b>\ncommitter x <y", "Ada root@x 0 +0000 <a@bcommitterxy>"),
        ("", "ada@example.org", "ada <ada@example.org>"),
        ("\n<>", "\0", "unknown <>"),
        ("-" * 5000, "x" * 5000, f"{'-' * 200} <{'x' * 200}>"),
        ("--author=x", "-e", "--author=x <-e>"),
        ("Ada \U0001f600 Łovelace", "a@b", "Ada \U0001f600 Łovelace <a@b>"),
        ("half \ud800", "a@b", "half <a@b>"),
    ],
)
def test_an_author_is_one_line(name: str, email: str, shown: str, opened: Open) -> None:
    """Line breaks and angle brackets cannot begin another field or person."""
    asked = WriteRequest((FileEdit("n.yaml", opened.next_id().encode()),), Author(name, email), "m", f"r{opened.count}")
    opened.writer.write(asked)

    assert opened.fleet.git("log", "-1", "--format=%an <%ae>", "main") == shown


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("", "Write n.yaml"),
        (" \n\0\n", "Write n.yaml"),
        ("-m --amend", "-m --amend"),
        ("# a comment", "# a comment"),
        ("nul\0and\x1b[31mred", "nul and [31mred"),
        ("one\r\ntwo\u2028three", "one\ntwo\nthree"),
        ("EOT\ndata 5\nfrom :1\ncommit refs/heads/x", "EOT\ndata 5\nfrom :1\ncommit refs/heads/x"),
        ("x" * 3_000_000, "x" * MAX_MESSAGE + "…"),
        ("Herdsman-Request-Id: other", "> Herdsman-Request-Id: other"),
    ],
    ids=range(9),
)
def test_a_message_is_text(message: str, shown: str, opened: Open) -> None:
    """Nothing in it is an option, a command or a comment; what is too long is cut."""
    name = opened.next_id()
    opened.writer.write(WriteRequest((FileEdit("n.yaml", name.encode()),), Author("A"), message, name))

    said = opened.fleet.git("log", "-1", "--format=%B", "main")
    assert said == f"{shown}\n\nHerdsman-Request-Id: {name}"
    assert opened.fleet.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"


@SOME
@given(
    contents=st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=12), st.binary(max_size=60),
        min_size=1, max_size=4,
    )
)  # fmt: skip
def test_paths_and_contents(contents: dict[str, bytes], opened: Open) -> None:
    """Every path that is accepted holds exactly the bytes that were given, and nothing else changed."""
    good: dict[str, bytes] = {}
    folder = opened.next_id()
    for name, content in contents.items():
        try:
            check_path(f"{folder}/{name}")
            good[f"{folder}/{name}"] = content
        except UsageError:
            continue
    if not good:
        return
    before = set(files(opened.fleet))
    edits = tuple(FileEdit(path, content, "") for path, content in good.items())
    written = opened.writer.write(WriteRequest(edits, Author("A"), "m", folder))

    names = opened.fleet.git("ls-tree", "-r", "-z", "--name-only", "main").rstrip("\0").split("\0")
    assert {n for n in names if n.startswith(f"{folder}/")} == set(good)
    assert len(names) == len(before) + len(good)
    for path, content in good.items():
        assert opened.writer.read(path) == content
        assert opened.fleet.git("rev-parse", f"{written.revision}:{path}") == blob_id(content, written.revision)


def test_a_content_that_looks_like_orders(opened: Open) -> None:
    """Contents are counted, not delimited."""
    text = "x\ndone\ncommit refs/heads/evil\nmark :9\n"
    opened.writer.write(request(opened.next_id(), {"evil.yaml": text}))

    assert show(opened.fleet, "evil.yaml") == text.strip()
    assert opened.fleet.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"


@MANY
@given(name=ANY, email=ANY)
def test_a_person_is_never_nobody_nor_two(name: str, email: str) -> None:
    """What comes out can stand in a commit, and is its own clean form."""
    clean = person(Author(name, email))
    text = f"{clean.name} <{clean.email}>"

    assert clean.name
    assert text.isprintable()
    assert (text.count("<"), text.count(">")) == (1, 1)
    assert person(clean) == clean


@MANY
@given(message=LINES, name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True))
def test_a_message_tells_its_request_and_no_other(message: str, name: str) -> None:
    """What was put in is found, and is the only line of its kind."""
    text = commit_message(WriteRequest((FileEdit("a", b""),), Author("A"), message, name))

    assert request_id(text) == name
    assert len([line for line in text.split("\n") if line.lower().lstrip().startswith("herdsman-request-id")]) == 1
    assert all(c.isprintable() or c == "\n" for c in text)


@pytest.mark.parametrize(
    "message", ["", "x", "Herdsman-Request-Id: a b", "Herdsman-Request-Id: r\nx", " Herdsman-Request-Id: r", "x: r"]
)
def test_a_message_without_a_request(message: str) -> None:
    """It tells none."""
    assert request_id(message) == ""
