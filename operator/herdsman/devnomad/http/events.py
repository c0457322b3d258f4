"""`/v1/event/stream`: events as they happen, one JSON object a line."""

from collections.abc import AsyncIterator
from typing import Final

import orjson

from herdsman.devnomad.errors import BadRequest, Refused
from herdsman.devnomad.http.call import ALL, Call
from herdsman.devnomad.http.reply import Reply, Stream
from herdsman.devnomad.http.routing import exact
from herdsman.devnomad.state.events import EVERY, EventRing, Subscription

HEARTBEAT: Final = 30.0
_JOB_TOPICS: Final = frozenset({"Job", "Allocation", "Deployment", "Evaluation", "Service"})


def stream(call: Call) -> Reply:
    """Follow what happens."""
    index = _index(call)
    subscription = Subscription(_topics(call), _namespaces(call))
    ring = call.agent.store.events
    return Stream(_lines(ring, ring.start(index), subscription))


def _index(call: Call) -> int:
    try:
        return max(call.number("index"), 0)
    except Refused:
        complaint = f'strconv.Atoi: parsing "{call.param("index")}": invalid syntax'
        raise BadRequest(f"Unable to parse index: {complaint}") from None


def _topics(call: Call) -> dict[str, frozenset[str]]:
    asked = [value for name, value in call.query if name == "topic"] or [f"{EVERY}:{EVERY}"]
    topics: dict[str, set[str]] = {}
    for each in asked:
        topic, _, key = each.partition(":")
        if ":" in key or (not topic and ":" in each):
            raise BadRequest(
                f"Invalid topic query: error parsing topics: Invalid key value pair for topic, topic: {each}"
            )
        topics.setdefault(topic, set()).add(key or EVERY)
    for topic in topics:
        _require(call, topic)
    return {topic: frozenset(keys) for topic, keys in topics.items()}


def _require(call: Call, topic: str) -> None:
    access = call.access
    if topic in _JOB_TOPICS:
        if call.namespace == ALL:
            call.require(access.any_namespace("read-job"))
        else:
            call.may("read-job")
    elif topic == "Node":
        call.require(access.coarse("node", "read"))
    else:
        call.require(access.everything)


def _namespaces(call: Call) -> frozenset[str]:
    if call.namespace != ALL or call.access.everything:
        return frozenset({call.namespace})
    rows = call.agent.store.namespaces.items()
    return frozenset(name for name, _ in rows if call.access.namespace(name, "read-job"))


async def _lines(ring: EventRing, position: int, subscription: Subscription) -> AsyncIterator[bytes]:
    async for batches in ring.follow(position, heartbeat=HEARTBEAT):
        if not batches:
            yield b"{}\n"
        for batch in batches:
            events = [event for event in batch.events if subscription.wants(event)]
            if events:
                yield orjson.dumps({"Index": batch.index, "Events": events}) + b"\n"


ROUTES = (exact("/v1/event/stream", get=stream),)
