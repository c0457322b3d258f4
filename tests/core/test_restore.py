"""One document put back, and everything else in its file left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import group, job_document
from herdsman.core.restore import declaration, jobspec_of, pieces, restored
from herdsman.errors import UsageError
from herdsman.model.keys import job_key

WEB, DB = job_key("default", "web"), job_key("default", "db")


def text(name: str, count: int) -> str:
    """A document that declares a job with so many allocations."""
    return job_document(name, TaskGroups=[group(count=count)])


def back(now: str | None, earlier: str, path: str = "a.yaml") -> str:
    """The file after `web` was put back."""
    piece = declaration(path, earlier.encode(), WEB)
    assert piece is not None
    return restored(path, None if now is None else now.encode(), piece, WEB).decode()


W1, W2, D1, D2 = text("web", 1), text("web", 2), text("db", 1), text("db", 2)
CASES = {
    "alone": (W2, W1, W1),
    "the file is gone": (None, f"# head\n{W1}---\n{D1}", f"# head\n{W1}"),
    "the first of two": (f"{W2}---\n{D2}", f"{W1}---\n{D1}", f"{W1}---\n{D2}"),
    "the last of two": (f"{D2}---\n{W2}", f"{W1}", f"{D2}---\n{W1}"),
    "its place in the file moved": (f"{D2}---\n{W2}", f"{W1}---\n{D1}", f"{D2}---\n{W1}"),
    "it is not declared any more": (D2, f"{W1}---\n{D1}", f"{D2}---\n{W1}"),
    "comments of others stay": (
        f"# mine\n{D2}---\n# old\n{W2}",
        f"---\n# older\n{W1}",
        f"# mine\n{D2}---\n# older\n{W1}",
    ),
    "no line break at the end": (f"{W2}---\n{D2}", W1.rstrip("\n"), f"{W1}---\n{D2}"),
}


@pytest.mark.parametrize(("now", "earlier", "expected"), CASES.values(), ids=CASES.keys())
def test_one_document_is_put_back(now: str | None, earlier: str, expected: str) -> None:
    """Wherever it stands, and wherever it stood."""
    assert back(now, earlier) == expected
    assert declaration("a.yaml", expected.encode(), WEB) is not None


def test_a_separator_inside_a_text_is_none_of_ours() -> None:
    """An indented `---` is text; one at the margin ends a document even inside a block."""
    document = W1 + "    # ---\n"

    assert len(pieces("a.yaml", document.encode())) == 1
    assert len(pieces("a.yaml", f"{W1}---\n{D1}".encode())) == 2


def test_json_is_one_document() -> None:
    """It is put back whole, and not beside another."""
    web = '{"apiVersion": "herdsman/v1", "kind": "Job", "metadata": {"name": "web"}, "spec": {"hcl": "job {}"}}'
    assert back(web.replace("{}", "{ }"), web, "a.json") == web
    piece = declaration("a.json", web.encode(), WEB)
    assert piece is not None
    with pytest.raises(UsageError, match="declares something else"):
        restored("a.json", web.replace("web", "db").encode(), piece, WEB)


def test_a_jobspec_beside_it() -> None:
    """Its path is told, as the spec has it."""
    document = "apiVersion: herdsman/v1\nkind: Job\nmetadata: {name: web}\nspec: {file: web.nomad.hcl}\n"
    piece = declaration("a.yaml", document.encode(), WEB)
    assert piece is not None
    assert jobspec_of(piece) == "web.nomad.hcl"
    other = declaration("a.yaml", W1.encode(), WEB)
    assert other is not None
    assert jobspec_of(other) is None


@given(st.lists(st.sampled_from([D1, D2, "# a comment\n", "\n"]), max_size=4), st.integers(0, 4))
def test_what_others_wrote_stays(others: list[str], at: int) -> None:
    """Take the document of `web` out, and before and after are the same."""
    parts = [*others]
    parts.insert(min(at, len(parts)), W2)
    after = back("---\n".join(parts), W1)

    assert after == "---\n".join([W1 if p == W2 else p for p in parts])
