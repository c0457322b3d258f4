"""Adapters: one file joins one port to one library."""
