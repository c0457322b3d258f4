"""The agent: a whole cluster of one server and a few simulated nodes, put together, started and stopped."""

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from herdsman.devnomad.acl.access import Access
from herdsman.devnomad.client.alloc_runner import AllocRunner
from herdsman.devnomad.client.client import Client
from herdsman.devnomad.client.fingerprint import fingerprint, node_name
from herdsman.devnomad.client.reaper import Reaper
from herdsman.devnomad.clock import now_ns, rfc3339
from herdsman.devnomad.errors import NotFound
from herdsman.devnomad.ids import new_id
from herdsman.devnomad.leader.broker import Broker
from herdsman.devnomad.leader.deployments import DeploymentWatcher
from herdsman.devnomad.leader.drainer import Drainer
from herdsman.devnomad.leader.gc import Collector
from herdsman.devnomad.leader.periodic import Periodic
from herdsman.devnomad.leader.worker import Worker
from herdsman.devnomad.rpc.acl import Acl
from herdsman.devnomad.rpc.allocs import Allocs
from herdsman.devnomad.rpc.deployments import Deployments
from herdsman.devnomad.rpc.jobs import Jobs
from herdsman.devnomad.rpc.launches import Launches
from herdsman.devnomad.rpc.namespaces import Namespaces, Pools
from herdsman.devnomad.rpc.nodes import Nodes
from herdsman.devnomad.rpc.scaling import Scaling
from herdsman.devnomad.rpc.search import Search
from herdsman.devnomad.rpc.variables import Variables
from herdsman.devnomad.rpc.versions import Versions
from herdsman.devnomad.state.events import Change
from herdsman.devnomad.state.journal import Journal
from herdsman.devnomad.state.store import Store
from herdsman.devnomad.types import Row

NAME = "devnomad"
_BACK_AFTER = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """How the cluster is to be."""

    host: str = "127.0.0.1"
    port: int = 4646
    acl: bool = False
    state_dir: Path | None = None
    nodes: int = 1
    gpus: int = 0


class Agent:
    """One cluster."""

    name = NAME

    def __init__(self, options: Options) -> None:
        self.options = options
        self.acl_enabled = options.acl
        self.host, self.port = options.host, options.port
        self._temporary = options.state_dir is None
        self._journal = None if options.state_dir is None else Journal(options.state_dir)
        self.data_dir = _data_dir(options.state_dir)
        self.store = Store()
        self.reaper = Reaper(self.data_dir, temporary=self._temporary)
        self.server_id = new_id()
        self.started_text = rfc3339(now_ns())
        self.broker = Broker(self.store)
        self._collector = Collector(self.store)
        self._worker = Worker(self.store, self.broker)
        self._watcher = DeploymentWatcher(self.store)
        self.jobs = Jobs(self.store)
        self.versions = Versions(self.store, self.jobs)
        self.scaling = Scaling(self.store)
        self.launches = Launches(self.store, self.jobs)
        self._drainer = Drainer(self.store)
        self._periodic = Periodic(self.store, self.launches)
        self.allocs = Allocs(self.store)
        self.deployments = Deployments(self.store, self._watcher)
        self.nodes = Nodes(self.store)
        self.namespaces = Namespaces(self.store)
        self.pools = Pools(self.store)
        self.variables = Variables(self.store)
        self.search = Search(self.store)
        self.acl = Acl(self.store, enabled=options.acl)
        self.clients: dict[str, Client] = {}
        self.node_ids: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def address(self) -> str:
        """Where the API is."""
        return f"{self.host}:{self.port}"

    # -- life ------------------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Begin; the event loop must run."""
        self.reaper.sweep()
        if self._journal is not None:
            self._journal.load(self.store)
            self._remove_old_directories()
        self.namespaces.ensure_default()
        self.pools.ensure_built_in()
        leaders = (self.broker, self._watcher, self._periodic, self._drainer)
        self.store.listeners += [leader.changed for leader in leaders]
        self.broker.resume()
        for number in range(self.options.nodes):
            self._add_client(number)
        self._forget_other_nodes()
        self.store.listeners.append(self._changed)
        self._watcher.resume()
        self._drainer.resume()
        self._periodic.resume()
        self.variables.resume()
        self._tasks += [asyncio.create_task(self._worker.run()), asyncio.create_task(self._collector.repeat())]

    def _remove_old_directories(self) -> None:
        """What is left of allocations that were forgotten while nobody looked."""
        for path in (self.data_dir / "alloc").glob("*"):
            if path.name not in self.store.allocs:
                shutil.rmtree(path, ignore_errors=True)

    def _add_client(self, number: int) -> None:
        """A client: on the node of that name that a former server knew, or on a new one."""
        known = next((node for node in self.store.nodes if node["Name"] == node_name(number)), None)
        node_id = known["ID"] if known else new_id()
        client = Client(self.store, node_id, data_dir=self.data_dir, reaper=self.reaper)
        self.clients[node_id] = client
        self.node_ids.append(node_id)
        self._join(node_id)
        self.store.listeners.append(client.changed)
        client.resume()

    def _join(self, node_id: str) -> None:
        """A node joins, or joins again."""
        number = self.node_ids.index(node_id)
        node = fingerprint(node_id, number=number, http_address=self.address, gpus=self.options.gpus)
        self.nodes.register(node, self.store.nodes.get(node_id))

    def _changed(self, _index: int, changes: list[Change]) -> None:
        """A write: a node that was purged comes back, as its client goes on."""
        for change in changes:
            if change.table == "nodes" and change.new is None and change.row["ID"] in self.clients:
                asyncio.get_running_loop().call_later(_BACK_AFTER, self._come_back, change.row["ID"])

    def _come_back(self, node_id: str) -> None:
        if node_id not in self.store.nodes and not self.store.watches.closed:
            self._join(node_id)

    def _forget_other_nodes(self) -> None:
        """Nodes that a former server had and this one has not are down."""
        for node in list(self.store.nodes):
            if node["ID"] not in self.clients and node["Status"] != "down":
                self.nodes.mark_down(node)

    def close_streams(self) -> None:
        """Let go of everybody who waits: held queries answer, streams end."""
        self.store.watches.close()
        self.store.events.close()

    async def stop(self) -> None:
        """End, and leave nothing behind."""
        self.close_streams()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.broker.stop()
        self._watcher.stop()
        self._drainer.stop()
        self._periodic.stop()
        self.variables.stop()
        await asyncio.gather(*(client.close() for client in self.clients.values()))
        self.reaper.close()
        if self._journal is not None:
            self._journal.close()
        if self._temporary:
            shutil.rmtree(self.data_dir, ignore_errors=True)

    def access_of(self, secret: str) -> Access:
        """What the bearer of a secret may do."""
        return self.acl.access_of(secret)

    # -- what needs more than one part -----------------------------------------------------------------------------
    def collect(self) -> None:
        """Forget all that is over."""
        self._collector.run(force=True)

    def client_of(self, alloc: Row) -> Client:
        """The client that runs an allocation."""
        client = self.clients.get(alloc["NodeID"])
        if client is None:
            raise NotFound(f'Unknown node "{alloc["NodeID"]}"')
        return client

    def runner_of(self, alloc: Row) -> AllocRunner:
        """What runs an allocation."""
        runner = self.client_of(alloc).runners.get(alloc["ID"])
        if runner is None:
            raise NotFound(f'Unknown allocation "{alloc["ID"]}"')
        return runner

    def checks_of(self, alloc: Row) -> Row:
        """What the checks of an allocation's services say."""
        runner = self.client_of(alloc).runners.get(alloc["ID"])
        checker = runner.health.checker if runner is not None else None
        return checker.shown() if checker is not None else {}


def _data_dir(state_dir: Path | None) -> Path:
    """Where allocations have their directories. Tasks are told of it, so it is a full path."""
    return Path(tempfile.mkdtemp(prefix="herdsman-devnomad-")) if state_dir is None else state_dir.resolve()
