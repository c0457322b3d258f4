"""Expressions to values.

Nothing here raises for a mistake in the jobspec: it is reported to the run, the value becomes `UNKNOWN`, and evaluation
goes on, so that one parse tells all mistakes. (Only a broken limit ends it at once.) Both sides of a conditional are
evaluated, because its type comes from both; the findings of the side not taken are dropped.
"""

from __future__ import annotations

from . import calls, composites, names, operators, templates
from .dispatch import RULES, evaluate

RULES.update(names.RULES | operators.RULES | composites.RULES | templates.RULES | calls.RULES)

__all__ = ["evaluate"]
