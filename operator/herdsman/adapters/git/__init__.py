"""A Git repository as a source of specs, by system git: see `source` for the story, `config` for what may be said."""

from herdsman.adapters.git.config import Credentials, GitConfig, Mode, Scheme, Verify
from herdsman.adapters.git.refs import DEFAULT_BRANCH, Ref, reference
from herdsman.adapters.git.source import GitSource, GitState

__all__ = [
    "DEFAULT_BRANCH",
    "Credentials",
    "GitConfig",
    "GitSource",
    "GitState",
    "Mode",
    "Ref",
    "Scheme",
    "Verify",
    "reference",
]
