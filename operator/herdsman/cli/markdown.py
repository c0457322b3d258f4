"""What was found as Markdown for a comment on a merge request: a line, a table, and the rest folded away.

Names and values come from whoever opened the request. Outside code blocks each is written with every sign but letters
and digits as a character reference, inside `<code>`: it can be no markup, no link, no mention. Inside a block the fence
is longer than any run of backticks in it. What does not fit into a comment is left out and counted.
"""

import re
from collections.abc import Iterable, Sequence

from herdsman.cli.reports import Checked, Compared, details, named, plain
from herdsman.core.blast import Effect, effect, reach
from herdsman.model.desired import Position, Rejection
from herdsman.model.plans import Plan

LIMIT = 60_000
"""Characters of a comment: GitHub takes 65,536."""

MARK = "<!-- herdsman -->"
"""The first line, by which a pipeline finds its own comment again."""

_ROWS = 200
_LONGEST = 400
_TAIL = 200

_WORDS = {
    Effect.PURGE: "🗑️ purge",
    Effect.STOP: "🛑 stop",
    Effect.DESTRUCTIVE: "💥 replace",
    Effect.IN_PLACE: "✏️ update in place",
    Effect.CREATE: "🌱 create",
    Effect.ADOPT: "🤝 adopt",
    Effect.HELD: "⏸️ held",
    Effect.FAILED: "❓ not judged",
    Effect.NOTHING: "nothing",
}


def markdown_of(found: Checked | Compared) -> str:
    """The text for either command."""
    return markdown_of_checked(found) if isinstance(found, Checked) else markdown_of_compared(found)


def markdown_of_compared(found: Compared) -> str:
    """The comment for `diff`."""
    mark = {"same": "✅", "differs": "🔎", "error": "❌"}[found.result]
    head = [MARK, f"### {mark} Herdsman: {found.headline}", ""]
    base = f", since {code(found.base_commit[:12])}" if found.base_commit else ""
    head.append(f"Fleet {code(found.fleet)} against {code(found.against)}{base}.")
    head += [f"\n> {code(note)}" for note in found.notes]
    plans = found.ordered()
    pieces = [*_rejections(found.rejections, "Rejected"), *_table(plans, found)]
    return _fitted(head, pieces, [_folded(p) for p in plans if any(details(p))])


def markdown_of_checked(found: Checked) -> str:
    """The comment for `validate`."""
    count = f"{len(found.specs)} specs, {len(found.errors)} errors, {len(found.warnings)} warnings"
    head = [MARK, f"### {'❌' if found.failed else '✅'} Herdsman: {count}", "", f"Fleet {code(found.fleet)}."]
    return _fitted(head, [*_rejections(found.errors, "Rejected"), *_rejections(found.warnings, "Warnings")], [])


def code(text: str) -> str:
    """*text* as code that nothing in it can end."""
    shown = plain(text)
    shown = shown if len(shown) <= _LONGEST else shown[:_LONGEST] + "…"
    return f"<code>{_SIGN.sub(lambda m: f'&#{ord(m[0])};', shown)}</code>"


_SIGN = re.compile(r"[^\w …→]|_", re.ASCII)


def _rejections(found: Sequence[Rejection], title: str) -> list[str]:
    if not found:
        return []
    rows = [f"| {code(_at(r.position))} | {code(_said(r))} |" for r in found[:_ROWS]]
    more = [f"\n… and {len(found) - _ROWS} more." if len(found) > _ROWS else ""]
    return ["", f"#### {title}", "", "| where | what |", "|---|---|", *rows, *more]


def _said(found: Rejection) -> str:
    field = f"{found.field}: " if found.field else ""
    return f"{field}{found.message}" + (f" ({found.hint})" if found.hint else "")


def _at(position: Position) -> str:
    return str(position)


def _table(plans: Sequence[Plan], found: Compared) -> list[str]:
    if not plans:
        return []
    rows = []
    for plan in plans[:_ROWS]:
        place = found.places.get(plan.key)
        where = code(str(place)) if place is not None and place.path else ""
        radius = code(reach(plan)) if reach(plan) else ""
        rows.append(
            f"| {_WORDS[effect(plan)]} | {code(named(plan.key))} | {plan.decision.reason} | {radius} | {where} |"
        )
    more = [f"\n… and {len(plans) - _ROWS} more." if len(plans) > _ROWS else ""]
    return ["", "| what | which | why | allocations | where |", "|---|---|---|---|---|", *rows, *more]


def _folded(plan: Plan) -> str:
    """The words of one plan, behind a line that opens."""
    lines = [line if len(line) <= _LONGEST else line[:_LONGEST] + "…" for line in details(plan)]
    longest = max(len(run) for line in lines for run in re.findall(r"`+|$", line))
    fence = "`" * max(3, longest + 1)
    summary = f"<summary>{_WORDS[effect(plan)]} {code(named(plan.key))}</summary>"
    return "\n".join(["<details>", summary, "", f"{fence}text", *lines, fence, "", "</details>"])


def _fitted(head: Iterable[str], pieces: Sequence[str], folded: Sequence[str]) -> str:
    """As much as fits: all of the head, then rows, then details."""
    lines = list(head)
    room = LIMIT - _TAIL - sum(len(line) + 1 for line in lines)
    left_out = 0
    for piece in (*pieces, "", *folded):
        if len(piece) + 1 > room:
            left_out += 1
            continue
        lines.append(piece)
        room -= len(piece) + 1
    if left_out:
        lines += ["", f"… {left_out} parts do not fit into a comment and are left out; the text output has all."]
    return "\n".join(lines).rstrip("\n") + "\n"
