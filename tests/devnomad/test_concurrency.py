"""Thirty-two callers at once: nobody loses a write, nobody wins what somebody else has won."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from devnomad.support import Answer, Api, group, job

CALLERS = 32


def _all_at_once(work: Callable[[int], Any], callers: int = CALLERS) -> list[Any]:
    """Every caller begins at the same moment; what each of them got."""
    start = threading.Barrier(callers)

    def run(number: int) -> Any:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(callers) as pool:
        return list(pool.map(run, range(callers)))


def test_one_of_all_creates_a_variable(nomad: Api) -> None:
    """Of all who write with cas=0 exactly one wins; the others are shown what it wrote."""

    def write(number: int) -> Answer:
        return nomad.call("PUT", "/v1/var/race/create?cas=0", {"Items": {"by": str(number)}})

    answers = _all_at_once(write)
    won = [answer for answer in answers if answer.status == 200]
    lost = [answer for answer in answers if answer.status == 409]

    assert (len(won), len(lost)) == (1, CALLERS - 1)
    assert {answer.body["Items"]["by"] for answer in lost} == {won[0].body["Items"]["by"]}


def test_no_check_and_set_is_lost(nomad: Api) -> None:
    """A counter that all raise with check-and-set, over and over, ends at the number of writes that were taken."""
    nomad.put("/v1/var/race/count", {"Items": {"n": "0"}})
    rounds = 5

    def raise_it(_number: int) -> int:
        taken = 0
        while taken < rounds:
            now = nomad.get("/v1/var/race/count")
            wanted = {"Items": {"n": str(int(now["Items"]["n"]) + 1)}}
            answer = nomad.call("PUT", f"/v1/var/race/count?cas={now['ModifyIndex']}", wanted)
            assert answer.status in {200, 409}
            taken += answer.status == 200
        return taken

    taken = sum(_all_at_once(raise_it, 8))
    assert nomad.get("/v1/var/race/count")["Items"]["n"] == str(taken) == str(8 * rounds)


def test_one_of_all_gets_a_lock(nomad: Api) -> None:
    """Of all who want a lock exactly one gets it."""
    answers = _all_at_once(
        lambda number: nomad.call("PUT", "/v1/var/race/lock?lock-acquire", {"Items": {"by": str(number)}, "Lock": {}})
    )
    assert sorted(answer.status for answer in answers) == [200] + [409] * (CALLERS - 1)


def test_one_of_all_registers_by_index(nomad: Api) -> None:
    """Of all who register against the same index exactly one wins, and the job has one new version."""
    index = nomad.register(job("race", group(count=0)))["JobModifyIndex"]

    def register(number: int) -> Answer:
        body = {
            "Job": job("race", group(count=0), Meta={"by": str(number)}),
            "EnforceIndex": True,
            "JobModifyIndex": index,
        }
        return nomad.call("PUT", "/v1/jobs", body)

    answers = _all_at_once(register)
    assert sorted(answer.status for answer in answers) == [200] + [500] * (CALLERS - 1)
    assert [each["Version"] for each in nomad.get("/v1/job/race/versions")["Versions"]] == [1, 0]
    nomad.purge("race")


def test_indexes_only_grow(nomad: Api) -> None:
    """Whoever writes sees ever larger indexes, no two writes share one, and reads never go back."""
    rounds = 6

    def work(number: int) -> list[int]:
        seen = []
        for turn in range(rounds):
            answer = nomad.call("PUT", f"/v1/var/race/index/{number}", {"Items": {"turn": str(turn)}})
            read = nomad.call("GET", "/v1/vars?prefix=race/index")
            assert read.index >= answer.index
            seen.append(answer.index)
        assert seen == sorted(set(seen))
        return seen

    written = [index for indexes in _all_at_once(work) for index in indexes]
    assert len(set(written)) == CALLERS * rounds


def test_all_jobs_run_in_the_end(nomad: Api) -> None:
    """Registered all at once and changed while they start, all jobs run in their latest version, once each."""

    def run(number: int) -> None:
        name = f"crowd-{number}"
        nomad.register(job(name))
        nomad.register(job(name, Meta={"turn": "2"}))

    _all_at_once(run)
    for number in range(CALLERS):
        name = f"crowd-{number}"
        nomad.wait_for(
            f"/v1/job/{name}/allocations",
            lambda found: [a["JobVersion"] for a in found if a["ClientStatus"] == "running"] == [1],
        )
        summary = nomad.get(f"/v1/job/{name}/summary")["Summary"]["g"]
        assert (summary["Running"], summary["Queued"], summary["Starting"]) == (1, 0, 0)
        nomad.purge(name)


def test_every_waiter_is_woken(nomad: Api) -> None:
    """A write wakes all who wait for it, and none of those who wait for something else."""
    nomad.put("/v1/var/race/wake", {"Items": {"n": "0"}})
    nomad.put("/v1/var/race/sleep", {"Items": {"n": "0"}})
    index = nomad.call("GET", "/v1/var/race/wake").index
    other = nomad.call("GET", "/v1/var/race/sleep").index

    def work(number: int) -> Answer:
        if number == 0:
            return nomad.call("PUT", "/v1/var/race/wake", {"Items": {"n": "1"}})
        if number % 2:
            return nomad.call("GET", f"/v1/var/race/wake?index={index}&wait=30s")
        return nomad.call("GET", f"/v1/var/race/sleep?index={other}&wait=1s")

    written, *answers = _all_at_once(work)
    assert all(answer.index == written.index for answer in answers[::2])
    assert all(answer.index == other for answer in answers[1::2])
