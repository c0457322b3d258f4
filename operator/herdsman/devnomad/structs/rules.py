"""What Nomad refuses in the blocks that jobs, groups and tasks share: placement, restarts, updates, times."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from herdsman.devnomad.structs.durations import SECOND, go_text
from herdsman.devnomad.structs.errors import nested, quoted
from herdsman.devnomad.structs.regexps import regexp_error
from herdsman.devnomad.structs.shapes import Json

_COMPARISONS = frozenset({"=", "==", "is", "!=", "not", "<", "<=", ">", ">="})
_SETS = frozenset({"set_contains", "set_contains_all", "set_contains_any"})
_OF_A_GROUP_ONLY = frozenset({"distinct_hosts", "distinct_property"})
_VERSION = re.compile(r"\s*(=|!=|>|<|>=|<=|~>)?\s*v?\d+(\.\d+)*([-+.~][0-9A-Za-z.+~-]+)?\s*")
MIN_RESTART_INTERVAL = 5 * SECOND
MIN_RESCHEDULE_DELAY = 5 * SECOND
DELAY_FUNCTIONS = ("constant", "exponential", "fibonacci")


def _version_error(value: str) -> str | None:
    for part in value.split(","):
        if not _VERSION.fullmatch(part):
            return f"Malformed constraint: {part}"
    return None


_OPERAND_CHECKS: Mapping[str, tuple[str, Callable[[str], str | None]]] = {
    "regexp": ("Regular expression failed to compile", regexp_error),
    "version": ("Version {} is invalid", _version_error),
    "semver": ("Semver {} is invalid", _version_error),
}


def _operand_errors(block: Json, what: str) -> Iterator[str]:
    operand, value = block["Operand"], block["RTarget"]
    if operand in _OPERAND_CHECKS:
        message, check = _OPERAND_CHECKS[operand]
        if complaint := check(value):
            yield f"{message.format(what)}: {complaint}"
    elif operand in _COMPARISONS and not value:
        yield f"Operator {quoted(operand)} requires an RTarget"


def constraint_errors(constraint: Json) -> Iterator[str]:
    """A constraint's faults."""
    operand, value = constraint["Operand"], constraint["RTarget"]
    if not operand:
        yield "Missing constraint operand"
    if operand in _SETS and not value:
        yield "Set contains constraint requires an RTarget"
    elif operand == "distinct_property" and value:
        yield from _count_errors(value)
    elif operand in ("is_set", "is_not_set") and value:
        yield f"Operator {quoted(operand)} does not support an RTarget"
    elif operand not in _SETS | _COMPARISONS | _OPERAND_CHECKS.keys() | _OF_A_GROUP_ONLY | {"is_set", "is_not_set"}:
        yield f"Unknown constraint type {quoted(operand)}"
    yield from _operand_errors(constraint, "constraint")
    if operand != "distinct_hosts" and not constraint["LTarget"]:
        yield "No LTarget provided but is required by constraint"


def _count_errors(value: str) -> Iterator[str]:
    if not value.isdecimal():
        reason = f"strconv.ParseUint: parsing {quoted(value)}: invalid syntax"
        yield f"Failed to convert RTarget {quoted(value)} to uint64: {reason}"
    elif int(value) < 1:
        yield f"Distinct Property must have an allowed count of 1 or greater: {int(value)} < 1"


def affinity_errors(affinity: Json) -> Iterator[str]:
    """An affinity's faults."""
    operand = affinity["Operand"]
    if not operand:
        yield "Missing affinity operand"
    if operand in _SETS and not affinity["RTarget"]:
        yield "Set contains operators require an RTarget"
    elif operand not in _SETS | _COMPARISONS | _OPERAND_CHECKS.keys():
        yield f"Unknown affinity operator {quoted(operand)}"
    yield from _operand_errors(affinity, "affinity")
    if not affinity["LTarget"]:
        yield "No LTarget provided but is required"
    if affinity["Weight"] == 0:
        yield "Affinity weight cannot be zero"
    if not -100 <= affinity["Weight"] <= 100:
        yield "Affinity weight must be within the range [-100,100]"


def spread_errors(spread: Json) -> Iterator[str]:
    """A spread's faults."""
    if not spread["Attribute"]:
        yield "Missing spread attribute"
    if not 0 < spread["Weight"] <= 100:
        yield "Spread block must have a positive weight from 0 to 100"
    seen: set[str] = set()
    for target in spread["SpreadTarget"] or ():
        value = target["Value"]
        if value in seen:
            yield f"Spread target value {quoted(value)} already defined"
        seen.add(value)
        if target["Percent"] > 100:
            yield f"Spread target percentage for value {quoted(value)} must be between 0 and 100"
    total = sum(target["Percent"] for target in spread["SpreadTarget"] or ())
    if total > 100:
        yield f"Sum of spread target percentages must not be greater than 100%; got {total}%"


def placement_errors(place: Json, kind: str, *, of_a_task: bool = False) -> Iterator[str]:
    """Faults of the constraints, affinities and spreads of a job, a group or a task."""
    for number, constraint in enumerate(place["Constraints"] or (), 1):
        yield from nested(f"Constraint {number} validation failed", constraint_errors(constraint))
        if of_a_task and constraint["Operand"] in _OF_A_GROUP_ONLY:
            yield f"Constraint {number} has disallowed Operand at task level: {constraint['Operand']}"
    if kind == "system":
        if place["Affinities"]:
            yield "System jobs may not have an affinity block"
        if place.get("Spreads"):
            yield "System jobs may not have a spread block"
        return
    for number, affinity in enumerate(place["Affinities"] or (), 1):
        yield from nested(f"Affinity {number} validation failed", affinity_errors(affinity))
    for number, spread in enumerate(place.get("Spreads") or (), 1):
        yield from nested(f"Spread {number} validation failed", spread_errors(spread))


def restart_errors(policy: Json) -> Iterator[str]:
    """A restart policy's faults."""
    mode, attempts = policy["Mode"], policy["Attempts"]
    interval, delay = policy["Interval"], policy["Delay"]
    if mode not in ("delay", "fail"):
        yield f"Unsupported restart mode: {quoted(mode)}"
    if attempts == 0 and mode != "fail":
        yield f"Restart policy {quoted(mode)} with {attempts} attempts is ambiguous"
    if interval < MIN_RESTART_INTERVAL:
        least = go_text(MIN_RESTART_INTERVAL)
        yield f"Interval can not be less than {least} (got {go_text(interval)})"
    if attempts * delay > interval:
        yield (
            f"Nomad can't restart the TaskGroup {attempts} times in an interval of {go_text(interval)} "
            f"with a delay of {go_text(delay)}"
        )


def update_errors(update: Json) -> Iterator[str]:
    """An update strategy's faults."""
    healthy, deadline, progress = update["MinHealthyTime"], update["HealthyDeadline"], update["ProgressDeadline"]
    if update["HealthCheck"] not in ("checks", "task_states", "manual"):
        yield f"Invalid health check given: {quoted(update['HealthCheck'])}"
    if update["MaxParallel"] < 0:
        yield f"Max parallel can not be less than zero: {update['MaxParallel']} < 0"
    if update["Canary"] < 0:
        yield f"Canary count can not be less than zero: {update['Canary']} < 0"
    if update["Canary"] == 0 and update["AutoPromote"]:
        yield "Auto Promote requires a Canary count greater than zero"
    if healthy < 0:
        yield f"Minimum healthy time may not be less than zero: {go_text(healthy)}"
    if deadline <= 0:
        yield f"Healthy deadline must be greater than zero: {go_text(deadline)}"
    if progress < 0:
        yield f"Progress deadline must be zero or greater: {go_text(progress)}"
    if healthy >= deadline:
        yield f"Minimum healthy time must be less than healthy deadline: {go_text(healthy)} > {go_text(deadline)}"
    if progress != 0 and deadline >= progress:
        yield f"Healthy deadline must be less than progress deadline: {go_text(deadline)} > {go_text(progress)}"
    if update["Stagger"] <= 0:
        yield f"Stagger must be greater than zero: {go_text(update['Stagger'])}"


def migrate_errors(migrate: Json) -> Iterator[str]:
    """A migrate strategy's faults."""
    if migrate["MaxParallel"] < 0:
        yield f"MaxParallel must be >= 0 but found {migrate['MaxParallel']}"
    if not migrate["HealthCheck"] and migrate["MaxParallel"] > 0:
        yield "Missing HealthCheck"
    if migrate["HealthCheck"] not in ("checks", "task_states", ""):
        yield f"Invalid HealthCheck: {quoted(migrate['HealthCheck'])}"
    for key in ("MinHealthyTime", "HealthyDeadline"):
        if migrate[key] < 0:
            yield f"{key} is {go_text(migrate[key])} and must be >= 0"
    if migrate["MinHealthyTime"] > migrate["HealthyDeadline"]:
        yield "MinHealthyTime must be less than HealthyDeadline"


def reschedule_errors(policy: Json) -> Iterator[str]:
    """A reschedule policy's faults; one that never reschedules has none."""
    attempts, interval, unlimited = policy["Attempts"], policy["Interval"], policy["Unlimited"]
    if attempts <= 0 and not unlimited:
        return
    if attempts > 0:
        if interval <= 0:
            yield "Interval must be a non zero value if Attempts > 0"
        if unlimited:
            flag = str(unlimited).lower()
            yield (
                f"Reschedule Policy with Attempts = {attempts}, Interval = {go_text(interval)}, "
                f"and Unlimited = {flag} is ambiguous"
            )
    delays = list(_delay_errors(policy))
    yield from delays
    if not unlimited and not delays and interval > 0:
        yield from _viability_errors(policy)


def _delay_errors(policy: Json) -> Iterator[str]:
    delay, most, function = policy["Delay"], policy["MaxDelay"], policy["DelayFunction"]
    least = go_text(MIN_RESCHEDULE_DELAY)
    if delay < MIN_RESCHEDULE_DELAY:
        yield f"Delay cannot be less than {least} (got {go_text(delay)})"
    if function not in DELAY_FUNCTIONS:
        known = " ".join(map(quoted, DELAY_FUNCTIONS))
        yield f"Invalid delay function {quoted(function)}, must be one of [{known}]"
    if function != "constant":
        if most < MIN_RESCHEDULE_DELAY:
            yield f"Max Delay cannot be less than {least} (got {go_text(most)})"
        if most < delay:
            yield f"Max Delay cannot be less than Delay {go_text(delay)} (got {go_text(most)})"


def _viability_errors(policy: Json) -> Iterator[str]:
    """A limited number of attempts must fit into the interval."""
    possible, needed = _viable(policy)
    if possible >= policy["Attempts"]:
        return
    function = policy["DelayFunction"]
    text = (
        f"Nomad can only make {possible} attempts in {go_text(policy['Interval'])} "
        f"with initial delay {go_text(policy['Delay'])}"
    )
    if function == "constant":
        yield f"{text} and delay function {quoted(function)}"
    else:
        yield f"{text}, delay function {quoted(function)}, and delay ceiling {go_text(policy['MaxDelay'])}"
    whole = (needed + SECOND // 2) // SECOND * SECOND
    yield f"Set the interval to at least {go_text(whole)} to accommodate {policy['Attempts']} attempts"


def _viable(policy: Json) -> tuple[int, int]:
    """How many attempts fit into the interval, and the interval that fits them all."""
    attempts, interval, delay = policy["Attempts"], policy["Interval"], policy["Delay"]
    if policy["DelayFunction"] == "constant":
        needed = attempts * delay
        return (attempts if interval >= needed else interval // delay), needed
    if policy["DelayFunction"] == "exponential":
        return _viable_exponential(policy)
    slots = _fibonacci(attempts, delay, policy["MaxDelay"])
    needed = slots[-1]
    if interval >= needed:
        return attempts, needed
    return next((number for number, slot in enumerate(slots) if slot > interval), 0), needed


def _viable_exponential(policy: Json) -> tuple[int, int]:
    possible = needed = 0
    for number in range(policy["Attempts"]):
        following = 2**number * policy["Delay"]
        needed = needed + policy["MaxDelay"] if following > policy["MaxDelay"] else following
        possible += needed < policy["Interval"]
    return possible, needed


def _fibonacci(attempts: int, delay: int, most: int) -> list[int]:
    slots, capped = [delay, delay], False
    for number in range(2, attempts):
        following = slots[number - 1] + (most if capped else slots[number - 2])
        if not capped and following > most:
            following, capped = most, True
        slots.append(following)
    return slots


def disconnect_errors(disconnect: Json, kind: str) -> Iterator[str]:
    """A disconnect strategy's faults."""
    stop: Any = disconnect["StopOnClientAfter"]
    if disconnect["LostAfter"] > 0 and stop is not None:
        yield "Disconnect.LostAfter and Disconnect.StopOnClientAfter are mutually exclusive"
    if disconnect["LostAfter"] < 0:
        yield "Disconnect.LostAfter cannot be a negative duration"
    if stop is not None and stop < 0:
        yield "Disconnect.StopOnClientAfter cannot be a negative duration"
    if stop is not None and kind not in ("service", "batch"):
        yield "Disconnect.StopOnClientAfter can only be used with service or batch job types"
    if disconnect["Reconcile"] not in ("best_score", "keep_original", "keep_replacement", "longest_running", ""):
        yield "Disconnect.Reconcile option is invalid"
