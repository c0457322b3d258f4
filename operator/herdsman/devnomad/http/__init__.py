"""Nomad's HTTP API over the store: one file per family of paths, thin, with the manners of the real one."""
