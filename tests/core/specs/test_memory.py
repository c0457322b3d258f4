"""Ten thousand specs must fit: nothing of a file is kept but what it means."""

import gc
import tracemalloc
from pathlib import Path

import pytest

from herdsman.core.parse import parse_file

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["crd_examples/job-api.yaml", "crd_examples/job-hcl.yaml", "specs/worker.yaml"])
def test_a_parsed_spec_is_small(name: str) -> None:
    """A spec takes at most 10 KiB of memory: neither its text nor the marks of its fields stay."""
    data = (ROOT / name).read_bytes()
    parse_file("warm.yaml", data)
    gc.collect()
    tracemalloc.start()
    try:
        kept = [parse_file(f"{n}.yaml", data) for n in range(100)]
        gc.collect()
        each = tracemalloc.get_traced_memory()[0] / len(kept)
    finally:
        tracemalloc.stop()
    assert each < 10 * 1024
