"""The entries that Herdsman brings along: what they ask for, and that every valid set of parameters makes a job."""

import json
import re
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import herdsman
from catalog import making
from catalog.making import FACTS, FULL, PLAIN, Given, job_of, rendered, shipped
from herdsman.model.catalog import Site
from herdsman.model.observed import Body

SETTINGS = settings(phases=[Phase.generate], deadline=None, database=None, suppress_health_check=list(HealthCheck))
"""The same sets each time; one that fails is shown as it is."""

ENTRIES = ["modules/ai4os-demo-app", "modules/hello-web", "tools/dev-env", "tools/federated-server", "tools/llm"]
ENTRIES += ["tools/nvflare"]

PASSWORD = "a-very-good-one"
STORAGE = {"rclone_url": "https://share.example.org/dav", "rclone_user": "ada", "rclone_password": PASSWORD}
LLM = {"ui_username": "me@example.org", "ui_password": PASSWORD}
NVFLARE = {"nvflare": {"username": "me@example.org", "password": PASSWORD}}


def test_the_catalog_is_whole() -> None:
    """Every entry can be read, and no other is there."""
    assert shipped().rejections == ()
    assert sorted(shipped().entries) == ENTRIES


@pytest.mark.parametrize("entry_id", ENTRIES)
def test_every_valid_set_of_parameters_makes_a_job(entry_id: str) -> None:
    """200 random sets are accepted, and make a job that is named by the deployment."""
    entry = shipped().entries[entry_id]
    tried: list[Body] = []

    @seed(1)
    @settings(SETTINGS, max_examples=200)
    @given(making.parameter_sets(entry), st.sampled_from([PLAIN, FULL]))
    def check(given: Given, site: Site) -> None:
        job = job_of(rendered(entry, given, site=site))
        tried.append(job)

        assert (job["ID"], job["Name"], job["Namespace"]) == (FACTS.deployment_id, FACTS.deployment_id, FACTS.namespace)
        assert job["Meta"] == {"owner": FACTS.owner, "catalog_entry": FACTS.catalog_entry}
        assert "main" in tasks(job)

    check()
    assert len(tried) >= 200


# -- what they ask for -------------------------------------------------------------------------------------------------


def job(entry_id: str, given: Given, site: Site = PLAIN) -> Body:
    """The job of a deployment."""
    return job_of(rendered(shipped().entries[entry_id], given, site=site))


def group(job: Body) -> dict[str, Any]:
    """Its one group."""
    (found,) = job["TaskGroups"]
    return dict(found)


def tasks(job: Body) -> dict[str, dict[str, Any]]:
    """Its tasks by name, in their order."""
    return {task["Name"]: task for task in group(job)["Tasks"]}


def hooks(job: Body) -> dict[str, str]:
    """When each task runs: `main`, or its hook, with `+` where it goes on beside the others."""
    found = {}
    for name, task in tasks(job).items():
        lifecycle = task.get("Lifecycle") or {"Hook": "main"}
        found[name] = lifecycle["Hook"] + ("+" if lifecycle.get("Sidecar") else "")
    return found


def ports(job: Body) -> dict[str, int]:
    """The ports of the group: label and port in the container."""
    return {port["Label"]: port.get("To", 0) for port in group(job)["Networks"][0]["DynamicPorts"]}


DEMO = "modules/ai4os-demo-app"
IDE: Given = {"general": {"service": "jupyter", "jupyter_password": PASSWORD}}
DATASETS: Given = {"storage": {**STORAGE, "datasets": [{"doi": "10.5281/zenodo.1"}, {"doi": "https://example.org/d"}]}}

TASKS: list[tuple[str, Given, Site, dict[str, str]]] = [
    ("modules/hello-web", {}, PLAIN, {"main": "main"}),
    (DEMO, {}, PLAIN, {"main": "main", "ui": "poststart+"}),
    (DEMO, IDE, PLAIN, {"main": "main"}),
    (
        DEMO,
        DATASETS,
        FULL,
        {
            "storage_mount": "prestart+",
            "dataset_download_0": "prestart",
            "dataset_download_1": "prestart",
            "email-notification": "prestart",
            "main": "main",
            "ui": "poststart+",
            "storage_cleanup": "poststop",
        },
    ),
    (
        DEMO,
        {"storage": {**STORAGE, "rclone_user": "", "datasets": [{"doi": "10.5281/zenodo.1"}]}},
        PLAIN,
        {"main": "main", "ui": "poststart+"},
    ),
    ("tools/dev-env", {"general": {"jupyter_password": PASSWORD}}, PLAIN, {"main": "main"}),
    (
        "tools/dev-env",
        {"general": {"jupyter_password": PASSWORD}, "storage": STORAGE},
        PLAIN,
        {"storage_mount": "prestart+", "main": "main", "storage_cleanup": "poststop"},
    ),
    ("tools/federated-server", {}, FULL, {"main": "main"}),
    (
        "tools/llm",
        {"llm": LLM},
        PLAIN,
        {"main": "prestart+", "check_vllm_startup": "prestart", "open-webui": "main", "create-admin": "poststart"},
    ),
    ("tools/llm", {"llm": {"type": "vllm"}}, PLAIN, {"main": "main"}),
    (
        "tools/llm",
        {"llm": {"type": "open-webui", "openai_api_key": "k", "openai_api_url": "https://a.example/v1", **LLM}},
        PLAIN,
        {"main": "main", "create-admin": "poststart"},
    ),
    ("tools/nvflare", NVFLARE, PLAIN, {"dashboard": "main", "main": "poststart+"}),
]


@pytest.mark.parametrize(("entry_id", "given", "site", "expected"), TASKS)
def test_tasks_and_their_hooks(entry_id: str, given: Given, site: Site, expected: dict[str, str]) -> None:
    """A task exists where the parameters ask for it, and runs when it should."""
    assert hooks(job(entry_id, given, site)) == expected


PORTS: list[tuple[str, Given, dict[str, int], list[str]]] = [
    ("modules/hello-web", {}, {"ui": 0}, ["ui"]),
    (
        DEMO,
        {},
        {"api": 5000, "monitor": 6006, "ide": 8888, "ui": 80, "custom": 80},
        ["api", "ui", "monitor", "custom"],
    ),
    (
        DEMO,
        IDE,
        {"api": 5000, "monitor": 6006, "ide": 8888, "ui": 80, "custom": 80},
        ["ide", "api", "monitor", "custom"],
    ),
    (
        "tools/dev-env",
        {"general": {"jupyter_password": PASSWORD}},
        {"api": 5000, "monitor": 6006, "ide": 8888, "custom": 80},
        ["ide", "api", "monitor", "custom"],
    ),
    (
        "tools/federated-server",
        {},
        {"fedserver": 5000, "monitor": 6006, "ide": 8888},
        ["fedserver", "monitor", "ide"],
    ),
    ("tools/llm", {"llm": LLM}, {"ui": 8080, "vllm": 8000}, ["ui", "vllm"]),
    ("tools/llm", {"llm": {"type": "vllm"}}, {"vllm": 8000}, ["vllm"]),
    (
        "tools/nvflare",
        NVFLARE,
        {"dashboard": 80, "server-fl": 8002, "server-admin": 8003, "server-jupyter": 8888},
        ["dashboard", "server-jupyter", "server-admin", "server-fl"],
    ),
]


@pytest.mark.parametrize(("entry_id", "given", "expected", "endpoints"), PORTS)
def test_ports_and_services(entry_id: str, given: Given, expected: dict[str, int], endpoints: list[str]) -> None:
    """Each port leads to where its task listens; services are the endpoints, the main one first."""
    found = job(entry_id, given, FULL)

    assert ports(found) == expected
    assert [service["PortLabel"] for service in group(found)["Services"]] == endpoints
    for service in group(found)["Services"]:
        assert service["Name"] == f"d-1-{service['PortLabel']}"
        assert len(service["Name"].replace("d-1", "d" * 48)) <= 63
        hosts = re.findall(r"Host(?:SNI)?\(`([^`]+)`\)", " ".join(service["Tags"]))
        assert hosts
        assert all(host.endswith("d-1.${meta.domain}-deployments.example.org") for host in hosts)
        assert all(len(host.partition(".d-1")[0].partition(".")[0]) <= 63 for host in hosts)


RESOURCES: list[tuple[str, Given, dict[str, int]]] = [
    ("modules/hello-web", {"hardware": {"ram": 100}}, {"CPU": 50, "MemoryMB": 100}),
    (
        DEMO,
        {"hardware": {"cpu_num": 2, "ram": 3000}},
        {"Cores": 2, "MemoryMB": 3000, "MemoryMaxMB": 3000},
    ),
    ("tools/federated-server", {}, {"Cores": 1, "MemoryMB": 2000, "MemoryMaxMB": 2000}),
    ("tools/llm", {"llm": LLM}, {"Cores": 4, "MemoryMB": 16000}),
    ("tools/nvflare", {**NVFLARE, "hardware": {"cpu_num": 2}}, {"Cores": 2, "MemoryMB": 2000, "MemoryMaxMB": 2000}),
]


@pytest.mark.parametrize(("entry_id", "given", "expected"), RESOURCES)
def test_resources(entry_id: str, given: Given, expected: dict[str, int]) -> None:
    """What is asked for is what the main task gets."""
    found = tasks(job(entry_id, given))["main"]["Resources"]

    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("hardware", "devices"),
    [
        ({"gpu_num": 0}, None),
        ({"gpu_num": 0, "gpu_type": "Tesla T4"}, None),
        ({"gpu_num": 1}, [("gpu", 1, [])]),
        ({"gpu_num": 1, "gpu_type": "Tesla T4"}, [("gpu", 1, ["Tesla T4"])]),
    ],
)
def test_gpus(hardware: dict[str, Any], devices: list[Any] | None) -> None:
    """A GPU is asked for where there is one wanted, of a model where one is named; else none is to be seen."""
    main = tasks(job(DEMO, {"hardware": hardware}))["main"]

    found = main["Resources"].get("Devices")
    told = found and [(d["Name"], d["Count"], [c["RTarget"] for c in d.get("Constraints") or []]) for d in found]
    assert told == devices
    assert (main["Env"] or {}).get("NVIDIA_VISIBLE_DEVICES") == (None if devices else "none")


@pytest.mark.parametrize("entry_id", ENTRIES)
def test_nodes_are_chosen_where_they_say_what_they_are(entry_id: str) -> None:
    """Labelled nodes must be ready, of the right type, and serve the namespace; others are all the same."""
    entry = shipped().entries[entry_id]
    plain, full = (job_of(rendered(entry, making.minimal(entry), site=site)) for site in (PLAIN, FULL))
    found = {c["LTarget"]: (c["Operand"], c["RTarget"]) for c in full["Constraints"]}

    assert not plain.get("Constraints")
    assert not plain.get("Affinities")
    assert found == {
        "${meta.status}": ("=", "ready"),
        "${meta.type}": ("=", "compute"),
        "${meta.namespace}": ("set_contains", "lab"),
    }


SCRIPT = """#!/bin/bash
echo "${HOME} {{ env `PATH` }} %{if} $(id)" && exit 3  # grün
"""


@pytest.mark.parametrize("more", [{}, IDE, {"storage": STORAGE}, {"hardware": {"gpu_num": 1}}])
def test_a_script_makes_it_a_batch_job(more: Given) -> None:
    """It runs the script once in the module's image, serves nothing, and is not started again by itself."""
    found = job(DEMO, {"batch": {"script": SCRIPT}, **more}, FULL)
    main = tasks(found)["main"]
    (template,) = [t for t in main["Templates"] if t["DestPath"] == "local/batch.sh"]
    encoded = re.fullmatch(r'\{\{ base64Decode "([A-Za-z0-9+/=]+)" \}\}', template["EmbeddedTmpl"])

    assert found["Type"] == "batch"
    assert encoded is not None
    assert b64decode(encoded[1]).decode() == SCRIPT
    assert main["Config"]["args"][-1] == "${NOMAD_TASK_DIR}/batch.sh"
    assert "/bin/bash" in " ".join([main["Config"]["command"], *main["Config"]["args"]])
    assert (main["RestartPolicy"]["Attempts"], main["RestartPolicy"]["Mode"]) == (0, "fail")
    assert (found["Reschedule"]["Attempts"], found["Reschedule"]["Unlimited"]) == (0, False)
    assert not any(group(found).get(name) for name in ("Services", "Networks", "Update"))
    assert not main["Config"].get("ports")
    assert "ui" not in hooks(found)


def test_a_batch_job_goes_where_batch_jobs_belong() -> None:
    """To nodes for such or for work of all sorts, rather to those; where nodes say nothing, to any."""
    given = {"batch": {"script": SCRIPT}}
    plain, full = (job(DEMO, given, site) for site in (PLAIN, FULL))
    found = {c["LTarget"]: (c["Operand"], c["RTarget"]) for c in full["Constraints"]}

    assert not plain.get("Constraints")
    assert not plain.get("Affinities")
    assert found["${meta.type}"] == ("set_contains_any", "compute,batch")
    assert [(a["LTarget"], a["RTarget"], a["Weight"]) for a in full["Affinities"]] == [("${meta.type}", "batch", 100)]


@pytest.mark.parametrize("entry_id", [e for e in ENTRIES if e != "modules/hello-web"])
def test_what_holds_data_stays_where_it_is(entry_id: str) -> None:
    """Nothing is rescheduled by itself, and a node that is cut off for two days gets its work back."""
    entry = shipped().entries[entry_id]
    found = job_of(rendered(entry, making.minimal(entry)))

    assert (found["Reschedule"]["Attempts"], found["Reschedule"]["Unlimited"]) == (0, False)
    assert group(found)["Disconnect"]["LostAfter"] == 48 * 3600 * 10**9
    assert group(found)["Disconnect"]["Replace"] is False


@pytest.mark.parametrize("entry_id", ENTRIES)
def test_a_title_changes_nothing_that_runs(entry_id: str) -> None:
    """A title and a description are for people: no task, group or meta of the job holds them."""
    entry = shipped().entries[entry_id]
    given = making.minimal(entry)
    before, after = (
        job_of(rendered(entry, {**given, "general": {**given.get("general", {}), "title": title, "desc": title}}))
        for title in ("One", "Another")
    )
    allowed = {"NVFL_PROJECT_TITLE"}  # the dashboard of NVFlare shows it
    changed = {path for path, value in making.leaves(after) if dict(making.leaves(before)).get(path) != value}

    assert {path[-1] for path in changed} - allowed == {"Description"}


def test_images_come_from_the_sites_registry() -> None:
    """Where a site has a registry, no image comes from anywhere else."""
    for entry in shipped().entries.values():
        parameters = {**making.minimal(entry), **(DATASETS if "storage" in entry.groups else {})}
        found = tasks(job_of(rendered(entry, parameters, site=FULL))).values()
        images = [task["Config"]["image"] for task in found if task["Driver"] == "docker"]

        assert all(image.startswith("images.example.org") for image in images), images


@pytest.mark.parametrize("entry_id", ENTRIES)
def test_no_secret_enters_a_job(entry_id: str) -> None:
    """Whatever secrets are given, neither the job nor anything that is shown of the deployment holds one."""
    entry = shipped().entries[entry_id]
    for parameter in entry.secrets:
        given = making.put(making.with_conditions(entry, parameter), parameter, making.secret(parameter))
        found = rendered(entry, given)

        assert found.items[parameter.key] == making.secret(parameter)
        assert making.secret(parameter) not in json.dumps(job_of(found))
        assert making.secret(parameter) not in repr(found)


def test_storage_and_its_secret() -> None:
    """With address, user and password the storage is mounted, and the password is read from the variable alone."""
    found = rendered(shipped().entries[DEMO], {"storage": STORAGE})
    job = job_of(found)
    templates = {t["DestPath"]: t["EmbeddedTmpl"] for t in tasks(job)["storage_mount"]["Templates"]}

    assert found.items == {"rclone_password": PASSWORD}
    assert found.secrets_path == "nomad/jobs/d-1"
    assert templates == {
        "secrets/storage.env": (
            'RCLONE_CONFIG_RSHARE_PASS={{ with nomadVar "nomad/jobs/d-1" }}{{ .rclone_password | toJSON }}{{ end }}'
        )
    }
    assert PASSWORD not in json.dumps(job)
    assert PASSWORD not in repr(found)


def test_a_key_is_made_up_where_none_is_given() -> None:
    """The API of a model is never open to all: without a key of the user's one is to be generated."""
    entry = shipped().entries["tools/llm"]

    assert rendered(entry, {"llm": {"type": "vllm"}}).generate == {"vllm_api_key": 40}
    assert rendered(entry, {"llm": {"type": "vllm", "vllm_api_key": "0123456789abcdef"}}).generate == {}
    assert (
        rendered(
            entry, {"llm": {"type": "open-webui", "openai_api_key": "k", "openai_api_url": "http://a", **LLM}}
        ).generate
        == {}
    )


def test_a_gated_model_asks_for_a_token() -> None:
    """The token of Hugging Face is required by the models that need it, and by no other."""
    entry = shipped().entries["tools/llm"]
    llama = "meta-llama/Llama-3.2-3B"

    assert [f.loc for f in making.refused(entry, {"llm": {"type": "vllm", "vllm_model_id": llama}})] == [
        ("parameters", "llm", "HF_token")
    ]
    found = rendered(entry, {"llm": {"type": "vllm", "vllm_model_id": llama, "HF_token": "hf_abc"}})
    assert "HUGGING_FACE_HUB_TOKEN" in json.dumps(job_of(found))


def test_no_code_knows_an_entry() -> None:
    """What an entry is stands in its files: no module that decides or acts says an entry's name or what is in it."""
    names = {entry_id.partition("/")[2] for entry_id in ENTRIES} - {"llm"} | {"tools/llm", "ai4os", "deepaas", "vllm"}
    source = Path(herdsman.__file__).parent
    for module in (path for room in ("core", "model", "adapters") for path in (source / room).rglob("*.py")):
        text = re.sub(r'(?s)""".*?"""', "", module.read_text())  # an entry may be an example
        assert not names & set(re.findall(r"[a-z0-9/-]+", text)), module
