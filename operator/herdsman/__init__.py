"""Herdsman keeps Nomad jobs equal to declared specs: the map is operator/ARCHITECTURE.md."""
