"""Parameters as they are given on a command line: each becomes what its parameter takes, or a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.cli.parameters import Given, Words, assignment, content, from_file, typed
from herdsman.errors import UsageError

KNOWN: dict[str, dict[str, dict[str, Any]]] = {
    "general": {
        "title": {"type": "string", "name": "Title"},
        "password": {"type": "string", "name": "Password", "secret": True},
        "pin": {"type": "int", "name": "PIN", "secret": True},
    },
    "hardware": {
        "ram": {"type": "int"},
        "share": {"type": "number"},
        "fast": {"type": "bool"},
        "tags": {"type": "list"},
        "more": {"type": "object"},
    },
}
names = st.text(
    st.characters(exclude_characters=".= \t\n\r\x0b\x0c", exclude_categories=("Cs", "Zs", "Zl", "Zp", "Cc")), min_size=1
)


def refused(name: str) -> str:
    """Nobody is asked."""
    raise AssertionError(f"asked for {name}")


def conf(*sets: str) -> dict[str, dict[str, Any]]:
    """What `--set` makes of texts."""
    return Words(sets=sets).conf(KNOWN, ask=refused)


@given(names, names, st.text())
def test_a_value_is_all_that_follows_the_first_sign(group: str, key: str, value: str) -> None:
    """Whatever it holds, equals signs, dots and blanks included."""
    assert assignment(f"{group}.{key}={value}") == Given(group, key, value)


@given(st.text())
def test_a_text_arrives_as_it_is(text: str) -> None:
    """What takes a text gets the text, even one that looks like something else."""
    assert conf(f"general.title={text}") == {"general": {"title": text}}


@given(st.integers(-(10**17), 10**17))
def test_whole_numbers_are_whole(number: int) -> None:
    """A whole number stays one where any number will do, too."""
    found = conf(f"hardware.ram={number}", f"hardware.share={number}")["hardware"]

    assert found == {"ram": number, "share": number}
    assert all(isinstance(value, int) for value in found.values())


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_numbers(number: float) -> None:
    """As Python writes them, and never one that JSON cannot hold."""
    assert conf(f"hardware.share={number!r}")["hardware"]["share"] == number


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text(), min_size=1))
def test_json_is_taken_for_a_mapping(value: dict[str, Any]) -> None:
    """JSON is what scripts have at hand."""
    assert conf(f"hardware.more={json.dumps(value)}") == {"hardware": {"more": value}}


@given(st.text(max_size=60), st.sampled_from([(g, k) for g, keys in KNOWN.items() for k in keys]))
def test_any_text_is_a_value_or_a_sentence(text: str, name: tuple[str, str]) -> None:
    """Nothing else comes out of it, and what does, JSON can hold."""
    try:
        value = typed(Given(*name, text), KNOWN)
    except UsageError as refusal:
        value = refusal.message
    json.dumps(value, allow_nan=False)


@given(st.text(max_size=60))
def test_any_assignment_is_one_or_a_sentence(text: str) -> None:
    """A mistyped one is told, not guessed."""
    try:
        found = assignment(text)
    except UsageError as refusal:
        said = refusal.hint
    else:
        said = "VALUE" if text.partition("=")[2] == found.text else ""
    assert "GROUP.PARAM" in said or "VALUE" in said


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("hardware.fast=true", True), ("hardware.fast=No", False), ("hardware.fast=1", True),
        ("hardware.tags=a, b", ["a", "b"]), ("hardware.tags=[a, 2]", ["a", 2]), ("hardware.tags=", []),
        ("hardware.ram=007", 7), ("hardware.ram= 7 ", 7), ("hardware.share=1e3", 1000.0), ("general.title=", ""),
        ("general.title=007", "007"), ("hardware.more={a: 1}", {"a": 1}),
    ],
)  # fmt: skip
def test_values(text: str, value: Any) -> None:
    """By the type that the catalog says."""
    group, _, rest = text.partition(".")
    assert conf(text) == {group: {rest.partition("=")[0]: value}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hardware.ram=7.5", "takes a whole number, not '7.5'"), ("hardware.ram=", "takes a whole number"),
        ("hardware.share=nan", "takes a number"), ("hardware.share=inf", "takes a number"),
        ("hardware.share=1e999", "takes a number"), ("hardware.fast=maybe", "takes true or false"),
        ("hardware.tags=[a", "takes a list"), ("hardware.more=[1]", "takes a mapping"),
        ("hardware.more=a: b: c", "takes a mapping"), ("hardware.more=!!python/object:os.system {}", "takes a mapping"),
        ("hardware.rom=1", "there is no parameter hardware.rom"), ("ram=1", "names no parameter"),
        ("hardware.ram", "is set to nothing"), ("=", "names no parameter"),
    ],
)  # fmt: skip
def test_what_is_no_value_is_said(text: str, said: str) -> None:
    """What was given, and what is taken."""
    with pytest.raises(UsageError, match=said):
        conf(text)


def test_a_mistyped_name_is_answered_with_the_nearest() -> None:
    """The hint is a name that can be copied."""
    with pytest.raises(UsageError) as caught:
        conf("hardware.rma=1")
    assert caught.value.hint == "did you mean hardware.ram?"


def test_what_is_secret_is_not_taken_from_a_command_line(tmp_path: Path) -> None:
    """It comes from a file, or from whoever sits there; and the refusal does not repeat it."""
    with pytest.raises(UsageError, match="is secret") as caught:
        conf("general.password=sesam")
    assert "sesam" not in str(caught.value)
    assert "--set-file general.password=PATH" in caught.value.hint
    (tmp_path / "secret").write_bytes("  se=sam ü\r\n".encode())
    asked: list[str] = []

    def ask(name: str) -> str:
        asked.append(name)
        return "42"

    words = Words(files=(f"general.password={tmp_path / 'secret'}",), asks=("general.pin",))
    assert words.conf(KNOWN, ask=ask) == {"general": {"password": "  se=sam ü", "pin": 42}}
    assert asked == ["PIN"]


def test_the_last_word_counts(tmp_path: Path) -> None:
    """A file first, then `--set` over it, parameter by parameter."""
    file = tmp_path / "conf.yaml"
    file.write_text("general: {title: From the file}\nhardware: {ram: 100, fast: true}\n")

    found = Words(file=file, sets=("hardware.ram=1", "hardware.ram=2")).conf(KNOWN, ask=refused)

    assert found == {"general": {"title": "From the file"}, "hardware": {"ram": 2, "fast": True}}


@pytest.mark.parametrize("text", ["", "[]", "general: 1", "a: b: c", "- x", "\t"])
def test_a_file_holds_groups(tmp_path: Path, text: str) -> None:
    """Anything else is told with what is expected."""
    file = tmp_path / "conf.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        from_file(file)
    assert "GROUP:" in caught.value.hint


def test_dates_are_texts_and_what_json_has_not_is_told(tmp_path: Path) -> None:
    """YAML has more than can be sent."""
    file = tmp_path / "conf.yaml"
    file.write_text("general: {since: 2026-01-31, 1: x}\n")
    assert from_file(file) == {"general": {"since": "2026-01-31", "1": "x"}}
    for text in ("a: {b: .nan}", "a: {b: !!binary aGk=}", "a: {b: !!set {x}}", "a: {b: &x [*x]}"):
        file.write_text(text)
        with pytest.raises(UsageError, match="no YAML that JSON could hold"):
            from_file(file)


def test_files_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    """Missing, a folder, no text."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path, said in (("none", "no such file"), (".", "is a directory"), ("binary", "is no text"), ("a\0b", "cannot")):
        with pytest.raises(UsageError, match=said):
            content(str(tmp_path / path))
