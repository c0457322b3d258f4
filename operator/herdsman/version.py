"""The version, in one place: read by the build, `herdsman version`, `/metrics` and the User-Agent."""

__version__ = "0.1.0"
