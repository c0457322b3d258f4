"""The composition root: settings in, a wired operator out. Every concrete class is named here and nowhere else.

sources     where specs come from and go to
parts       the other parts of one fleet
fleet       the operator of one fleet
process     every fleet, the application in front of them, and the server that listens for it
offline     an operator that is never started
"""

from herdsman.bootstrap.fleet import Wired, exporter, wire
from herdsman.bootstrap.offline import cluster, offline, unstarted
from herdsman.bootstrap.process import Process, application, assemble, front, greet, listen_address, served

__all__ = [
    "Process",
    "Wired",
    "application",
    "assemble",
    "cluster",
    "exporter",
    "front",
    "greet",
    "listen_address",
    "offline",
    "served",
    "unstarted",
    "wire",
]
