"""The blocks of Nomad's job specification, one table each."""

from __future__ import annotations

from .job import decode_job

__all__ = ["decode_job"]
