"""Shutdown delays: waited for, and left out where somebody is in a hurry."""

import time

import pytest

from devnomad.support import SECOND, Api, group, job, task

LONG = 60 * SECOND
SHORT = SECOND // 2


def _delayed(job_id: str, delay: int) -> dict[str, object]:
    return job(job_id, group(ShutdownDelay=delay, Tasks=[task(ShutdownDelay=delay)]))


def test_an_allocation_waits_before_it_ends(nomad: Api) -> None:
    """The delays of group and task pass, one after the other, before the task is told to end."""
    nomad.register(_delayed("waits", SHORT))
    one = nomad.running("waits")[0]["ID"]
    began = time.monotonic()
    nomad.delete("/v1/job/waits")
    nomad.wait_for(f"/v1/allocation/{one}", lambda found: found["ClientStatus"] == "complete")

    assert time.monotonic() - began >= 2 * SHORT / SECOND
    nomad.purge("waits")


@pytest.mark.parametrize("purge", ["", "&purge=true"])
def test_a_job_is_stopped_without_delay(nomad: Api, purge: str) -> None:
    """`no_shutdown_delay` ends everything at once."""
    nomad.register(_delayed("hurries", LONG))
    one = nomad.running("hurries")[0]["ID"]
    nomad.delete(f"/v1/job/hurries?no_shutdown_delay=true{purge}")
    nomad.wait_for(f"/v1/allocation/{one}", lambda found: found["ClientStatus"] == "complete")
    nomad.purge("hurries")


def test_an_allocation_is_stopped_without_delay(nomad: Api) -> None:
    """The same for one allocation; its successor runs."""
    nomad.register(_delayed("replaced", LONG))
    one = nomad.running("replaced")[0]["ID"]
    nomad.put(f"/v1/allocation/{one}/stop?no_shutdown_delay=true")
    nomad.wait_for(f"/v1/allocation/{one}", lambda found: found["ClientStatus"] == "complete")
    nomad.running("replaced")
    nomad.delete("/v1/job/replaced?no_shutdown_delay=true&purge=true")
