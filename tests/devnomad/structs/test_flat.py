"""Values as Go prints them."""

import math

import pytest

from herdsman.devnomad.structs.durations import go_text
from herdsman.devnomad.structs.flat import number, opaque, text


@pytest.mark.parametrize(
    ("value", "want"),
    [("a", "a"), ("", ""), (None, "nil"), (True, "true"), (False, "false"), (7, "7"), (-3, "-3"), (1.5, "1.5")],
)
def test_a_scalar_is_printed(value: object, want: str) -> None:
    """Words as they are, flags in small letters, nothing as nil."""
    assert text(value) == want


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (0.0, "0"),
        (5.0, "5"),
        (2.5, "2.5"),
        (100000.0, "100000"),
        (1e6, "1e+06"),
        (1234567.5, "1.2345675e+06"),
        (-2e6, "-2e+06"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (1.2345678901234567e19, "1.2345678901234567e+19"),
        (1e100, "1e+100"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_a_float_is_printed(value: float, want: str) -> None:
    """With the fewest digits; from a million on, and below a ten-thousandth, with an exponent."""
    assert number(value) == want


def test_a_free_form_value_is_printed_leaf_by_leaf() -> None:
    """Maps and lists name the way to each leaf; empty ones have none."""
    value = {"a": 1, "b": {"c": [True, None]}, "d": [{"e": "f"}], "g": [], "h": {}}
    want = {"a": "1", "b[c][0]": "true", "b[c][1]": "nil", "d[0][e]": "f"}
    assert dict(opaque(value)) == want


def test_depth_does_not_matter() -> None:
    """A value nested deeper than Python's stack is printed like any other."""
    value: object = "x"
    for _ in range(5_000):
        value = [value]
    assert [leaf for _, leaf in opaque({"a": value})] == ["x"]


@pytest.mark.parametrize(
    ("nanoseconds", "want"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1.5µs"),
        (20_000_000, "20ms"),
        (1_000_000_000, "1s"),
        (1_500_000_000, "1.5s"),
        (60_000_000_000, "1m0s"),
        (3_661_000_000_000, "1h1m1s"),
        (86_400_000_000_000, "24h0m0s"),
        (-5_000_000_000, "-5s"),
    ],
)
def test_a_duration_is_printed(nanoseconds: int, want: str) -> None:
    """Hours, minutes and seconds, or the largest unit below a second."""
    assert go_text(nanoseconds) == want
