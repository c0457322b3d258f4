"""Git is the source: a push, a webhook, and a job; what goes wrong there takes nothing down."""

import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from clusters import FLEET, Cluster, document, operating, until
from gitservers import HttpServer, Repository
from herdsman.bootstrap import Wired, served
from herdsman.model.keys import job_key
from herdsman.model.writes import Author

BASIC = "Basic aGVyZHNtYW46Z2VoZWlt"
FAST = {"git_allow_insecure": True, "branch": "main", "path": "specs"}


WEB = job_key("default", "web")


class StatusServer:
    """The part of a Gitea that takes commit statuses."""

    def __init__(self) -> None:
        self.told: list[dict[str, str]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                owner.told.append({**body, "commit": self.path.rpartition("/")[2]})
                self.send_response(201)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                """Silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}/api/v1"

    def states(self, commit: str) -> list[str]:
        """What was told of a commit, in order."""
        return [t["state"] for t in self.told if t["commit"] == commit]

    def __enter__(self) -> "StatusServer":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A fleet with one job, in a bare repository."""
    found = Repository(tmp_path / "repos" / "fleet.git")
    found.commit({"specs/fleet.yaml": FLEET, "specs/web.yaml": document("web"), "README.md": "not a spec"})
    return found


def ready(wired: Wired, count: int) -> Callable[[], bool]:
    """So many specs are Ready."""
    return lambda: wired.operator.overview().ready_count == count


def webhook(address: str, secret: bytes = b"both know it") -> int:
    """A push event, as GitHub sends one."""
    body = json.dumps({"ref": "refs/heads/main"}).encode()
    headers = {"X-Hub-Signature-256": "sha256=" + hmac.new(secret, body, sha256).hexdigest()}
    with urlopen(Request(f"{address}/v1/webhooks/github", data=body, headers=headers), timeout=5) as answer:
        return int(answer.status)


def test_push_webhook_job(cluster: Cluster, repository: Repository, tmp_path: Path) -> None:
    """Over HTTP with a password: the commit is live soon after the webhook, and everything names it."""
    password = tmp_path / "password"
    password.write_text("geheim\n")
    with HttpServer(tmp_path / "repos", accept={BASIC}) as server:
        flags = {**FAST, "git_username": "herdsman", "git_token_file": password, "git_interval": 3600.0}
        flags |= {"git": server.url("fleet.git"), "webhook_secret": "both know it"}
        with operating(tmp_path / "none", cluster.address, **flags) as wired, served(wired.app, "127.0.0.1:0") as api:
            until(ready(wired, 1))
            commit = repository.commit({"specs/web.yaml": document("web", Priority=71)}, author="Ann <ann@example.org>")
            began = time.monotonic()
            assert webhook(api) == 202
            until(lambda: cluster.job("web")["Priority"] == 71, 5)
            assert time.monotonic() - began < 5
            until(lambda: wired.operator.statuses()[0].revision == commit)
            (status,) = wired.operator.statuses()
            assert (status.position.path, status.author) == ("web.yaml", "Ann <ann@example.org>")
            flags_ = cluster.call("GET", "/v1/job/web/submission?version=1")["VariableFlags"]
            assert commit in flags_.values()
            assert "web.yaml" in flags_.values()
            state = wired.operator.overview().source_state
            assert state.snapshot is not None
            assert (state.snapshot.commit, state.snapshot.branch) == (commit, "main")
            metrics = wired.metrics.text().decode()
            assert f'branch="main",dirty="false",revision="{commit}"' in metrics
            assert "geheim" not in metrics


@pytest.mark.parametrize("fault", ["remote down", "branch deleted", "path gone", "garbage"])
def test_a_source_in_trouble_takes_nothing_down(
    fault: str, cluster: Cluster, repository: Repository, tmp_path: Path
) -> None:
    """The last good revision stays in force, status and metrics say since when, and it goes on by itself."""
    with HttpServer(tmp_path / "repos") as server:
        flags: dict[str, Any] = {**FAST, "git": server.url("fleet.git"), "git_interval": 0.2, "source_poll": 0.2}
        with operating(tmp_path / "none", cluster.address, **flags) as wired:
            until(ready(wired, 1))
            good = repository.head()
            if fault == "remote down":
                server.fault = lambda handler: bool(handler.send_error(503)) or True
            elif fault == "branch deleted":
                repository.git("update-ref", "-d", "refs/heads/main")
            elif fault == "path gone":
                repository.commit({"specs/fleet.yaml": None, "specs/web.yaml": None})
            else:
                server.fault = lambda handler: bool(handler.wfile.write(b"\0garbage\n")) or True
            wired.operator.resync(with_source=True)
            until(lambda: wired.operator.overview().source_state.failing_since > 0)
            overview = wired.operator.overview()
            assert overview.source_state.error
            assert overview.trouble["source"] == overview.source_state.error
            assert overview.revision == good
            assert cluster.job("web")["Stop"] is False

            server.fault = lambda _: False
            repository.commit({"specs/fleet.yaml": FLEET, "specs/web.yaml": document("web", Priority=72)})
            wired.operator.resync(with_source=True)
            until(lambda: cluster.job("web")["Priority"] == 72)
            until(lambda: wired.operator.overview().source_state.failing_since == 0)


def test_a_force_push_that_drops_most_specs_is_held(cluster: Cluster, repository: Repository, tmp_path: Path) -> None:
    """Limits hold whatever Git says: half a fleet does not go because somebody pushed the wrong branch."""
    repository.commit({f"specs/{n}.yaml": document(f"job-{n}") for n in range(12)})
    flags = {**FAST, "git": str(repository.path), "git_interval": 3600.0}
    with operating(tmp_path / "none", cluster.address, **flags) as wired:
        until(lambda: len(cluster.call("GET", "/v1/jobs")) == 13)
        until(lambda: wired.service.queue.depth().dirty == 0)
        repository.commit({"specs/fleet.yaml": FLEET, "specs/web.yaml": document("web")}, orphan=True)
        wired.operator.resync(with_source=True)
        until(lambda: wired.operator.overview().held >= 12)
        assert len([j for j in cluster.call("GET", "/v1/jobs") if not j["Stop"]]) == 13


def test_two_fleets_in_one_process_and_a_hangup(cluster: Cluster, repository: Repository, tmp_path: Path) -> None:
    """`herdsman.yaml` names both; each has its own state and address, and SIGHUP asks every source."""
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "fleet.yaml").write_text(FLEET.replace("e2e", "other"))
    (tmp_path / "two" / "db.yaml").write_text(document("db"))
    config = tmp_path / "herdsman.yaml"
    fleets = {
        "prod": {"git": str(repository.path), "path": "specs", "git_allow_insecure": True, "git_interval": 3600},
        "lab": {"specs": str(tmp_path / "two")},
    }
    shared = {"nomad": cluster.address, "listen": "127.0.0.1:0", "state": str(tmp_path / "state"), "log_format": "json"}
    config.write_text(json.dumps({**shared, "fleets": fleets}))
    log = tmp_path / "log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", "herdsman", "run", "--config", str(config)]
        env = {k: v for k, v in os.environ.items() if not k.startswith(("NOMAD_", "HERDSMAN_"))}
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=env)
    try:
        until(lambda: cluster.job("web") is not None and cluster.job("db") is not None, 20)
        assert "prod: specs" in log.read_text()
        assert {p.name for p in (tmp_path / "state").iterdir()} == {"prod", "lab"}
        until(lambda: process.poll() is not None or "registered" in log.read_text() or cluster.job("web"), 5)
        repository.commit({"specs/web.yaml": document("web", Priority=73)})
        process.send_signal(signal.SIGHUP)
        until(lambda: cluster.job("web")["Priority"] == 73, 10)
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_a_rollback_is_a_commit(cluster: Cluster, repository: Repository, tmp_path: Path) -> None:
    """It restores the spec in Git, by whom it was asked for, and the loop does the rest; history names all of it."""
    flags: dict[str, Any] = {**FAST, "git": str(repository.path), "git_interval": 3600.0}
    with operating(tmp_path / "none", cluster.address, **flags) as wired:
        until(ready(wired, 1))
        first = repository.head()
        second = repository.commit({"specs/web.yaml": document("web", Priority=74)})
        wired.operator.resync(with_source=True)
        until(lambda: cluster.job("web")["Priority"] == 74)
        until(lambda: wired.operator.history(WEB)[0].revision == second)

        written, files = wired.operator.rollback(WEB, to="0", author=Author("Ann"), request_id="one")

        assert files == ["web.yaml"]
        until(lambda: cluster.job("web")["Priority"] == 50)
        assert repository.head() == written.revision
        assert repository.git("log", "-1", "--format=%an|%s").strip() == f"Ann|Roll {WEB} back to {first[:12]}"
        until(lambda: wired.operator.history(WEB)[0].revision == written.revision)
        assert [r.revision for r in wired.operator.history(WEB)] == [written.revision, second, first]
        trace = wired.operator.trace(WEB)
        assert trace.live.provenance is not None
        assert trace.live.provenance.revision == written.revision


def test_the_host_hears_how_a_commit_fares(cluster: Cluster, repository: Repository, tmp_path: Path) -> None:
    """Pending, then success; failure with its reason for a commit that cannot be understood."""
    token = tmp_path / "token"
    token.write_text("geheim")
    with HttpServer(tmp_path / "repos") as server, StatusServer() as host:
        flags: dict[str, Any] = {
            **FAST,
            "git": server.url("org/fleet.git"),
            "git_interval": 3600.0,
            "commit_status_token_file": token,
            "commit_status_provider": "gitea",
            "commit_status_api": host.address,
        }
        (tmp_path / "repos" / "org").mkdir()
        repository.path.rename(tmp_path / "repos" / "org" / "fleet.git")
        moved = Repository(tmp_path / "repos" / "org" / "fleet.git")
        with operating(tmp_path / "none", cluster.address, **flags) as wired:
            until(lambda: host.states(moved.head())[-1:] == ["success"])
            bad = moved.commit({"specs/bad.yaml": "kind: ["})
            wired.operator.resync(with_source=True)
            until(lambda: host.states(bad)[-1:] == ["failure"])
            assert "bad.yaml" in host.told[-1]["description"]
