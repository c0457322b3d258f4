"""The one shape everything here passes around: a row, a plain dictionary in the JSON form of Nomad's API.

Rows are never changed in place once the state store holds them; a change is a new dictionary.
"""

from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]
JobKey: TypeAlias = tuple[str, str]
"""Namespace and job ID."""
