"""Nomad through python-nomad, with one thin layer over it that mends what the library gets wrong.

    config.py      what a cluster is reached with: address, token, certificates
    transport.py   sockets: TLS, Unix sockets, one session; no redirects, no environment
    client.py      one request and its answer: quoting, namespaces, timeouts, retries of reads
    failures.py    what a failed request means: by what happens next, in words for people
    translate.py   Nomad's JSON to the values of `herdsman.model`, and back
    cluster.py     the port itself

The event stream is a port of its own: `herdsman.adapters.events`.
"""

from herdsman.adapters.nomad.cluster import NomadCluster
from herdsman.adapters.nomad.config import NomadConfig, OnRequest

__all__ = ["NomadCluster", "NomadConfig", "OnRequest"]
