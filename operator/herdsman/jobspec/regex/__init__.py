"""Regular expressions of Go's kind (RE2 syntax) that cannot run away.

Python's `re` backtracks: a pattern that somebody else wrote can keep it busy for years. Here a pattern becomes a small
program whose threads all advance together over the text, one character at a time, so the work is at most length times
pattern. Of several matches at one place the first alternative wins, as in Go.
"""

from __future__ import annotations

from .matching import Pattern
from .tree import PatternError

__all__ = ["Pattern", "PatternError"]
