"""Settings from four places, and what is said where one is wrong."""

import os
from pathlib import Path
from typing import Any

import pytest

from herdsman.errors import SettingsError
from herdsman.settings import Settings, environment, load

DEFAULT = "http://127.0.0.1:4646"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of whoever runs the tests counts."""
    for name in list(os.environ):
        if name.startswith(("NOMAD_", "HERDSMAN_")):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The settings file."""
    return tmp_path / "herdsman.yaml"


def test_without_anything_the_defaults_hold() -> None:
    """A loopback Nomad, a loopback address to listen on, a minute between resyncs."""
    found = load({})

    assert (found.nomad, found.listen, found.fleet) == (DEFAULT, "127.0.0.1:8080", "default")
    assert (found.resync, found.source_poll, found.workers, found.take_over) == (60.0, 30.0, 8, False)
    assert found.nomad_token.get_secret_value() == ""


PLACES: dict[str, tuple[str, str, str]] = {
    "nomad": ("NOMAD_ADDR", "http://env:1", "http://file:1"),
    "nomad_region": ("NOMAD_REGION", "env", "file"),
    "nomad_tls_server_name": ("NOMAD_TLS_SERVER_NAME", "env", "file"),
    "nomad_cacert": ("NOMAD_CACERT", "/env", "/file"),
    "nomad_capath": ("NOMAD_CAPATH", "/env", "/file"),
    "nomad_client_cert": ("NOMAD_CLIENT_CERT", "/env", "/file"),
    "nomad_client_key": ("NOMAD_CLIENT_KEY", "/env", "/file"),
    "nomad_token_file": ("NOMAD_TOKEN_FILE", "/env", "/file"),
    "nomad_timeout": ("HERDSMAN_NOMAD_TIMEOUT", "11", "12"),
    "nomad_skip_verify": ("NOMAD_SKIP_VERIFY", "true", "false"),
    "fleet": ("HERDSMAN_FLEET", "env", "file"),
    "git": ("HERDSMAN_GIT", "https://env/x.git", "https://file/x.git"),
    "branch": ("HERDSMAN_BRANCH", "env", "file"),
    "tag": ("HERDSMAN_TAG", "env", "file"),
    "semver": ("HERDSMAN_SEMVER", "1.x", "2.x"),
    "commit": ("HERDSMAN_COMMIT", "a", "b"),
    "path": ("HERDSMAN_PATH", "env", "file"),
    "git_interval": ("HERDSMAN_GIT_INTERVAL", "5", "6"),
    "git_timeout": ("HERDSMAN_GIT_TIMEOUT", "5", "6"),
    "git_username": ("HERDSMAN_GIT_USERNAME", "env", "file"),
    "git_token_file": ("HERDSMAN_GIT_TOKEN_FILE", "/env", "/file"),
    "git_scheme": ("HERDSMAN_GIT_SCHEME", "bearer", "bearer"),
    "git_cacert": ("HERDSMAN_GIT_CACERT", "/env", "/file"),
    "git_client_cert": ("HERDSMAN_GIT_CLIENT_CERT", "/env", "/file"),
    "git_client_key": ("HERDSMAN_GIT_CLIENT_KEY", "/env", "/file"),
    "git_ssh_key": ("HERDSMAN_GIT_SSH_KEY", "/env", "/file"),
    "git_known_hosts": ("HERDSMAN_GIT_KNOWN_HOSTS", "/env", "/file"),
    "git_allow_insecure": ("HERDSMAN_GIT_ALLOW_INSECURE", "true", "false"),
    "verify": ("HERDSMAN_VERIFY", "head", "tag"),
    "verify_ssh_signers": ("HERDSMAN_VERIFY_SSH_SIGNERS", "/env", "/file"),
    "git_write": ("HERDSMAN_GIT_WRITE", "off", "push"),
    "git_committer": ("HERDSMAN_GIT_COMMITTER", "env", "file"),
    "git_keep_unpushed": ("HERDSMAN_GIT_KEEP_UNPUSHED", "true", "false"),
    "commit_status_token_file": ("HERDSMAN_COMMIT_STATUS_TOKEN_FILE", "/env", "/file"),
    "commit_status_provider": ("HERDSMAN_COMMIT_STATUS_PROVIDER", "github", "gitea"),
    "commit_status_api": ("HERDSMAN_COMMIT_STATUS_API", "https://env", "https://file"),
    "age_identity": ("HERDSMAN_AGE_IDENTITY", "/env", "/file"),
    "site_domain": ("HERDSMAN_SITE_DOMAIN", "env.org", "file.org"),
    "site_registry": ("HERDSMAN_SITE_REGISTRY", "env.org", "file.org"),
    "site_platform_registry": ("HERDSMAN_SITE_PLATFORM_REGISTRY", "env.org", "file.org"),
    "site_service_provider": ("HERDSMAN_SITE_SERVICE_PROVIDER", "consul", "consul"),
    "site_labelled_nodes": ("HERDSMAN_SITE_LABELLED_NODES", "true", "false"),
    "site_disk_quotas": ("HERDSMAN_SITE_DISK_QUOTAS", "true", "false"),
    "site_notify_url": ("HERDSMAN_SITE_NOTIFY_URL", "https://env", "https://file"),
    "public_catalog": ("HERDSMAN_PUBLIC_CATALOG", "true", "false"),
    "try_me": ("HERDSMAN_TRY_ME", "false", "false"),
    "try_me_namespace": ("HERDSMAN_TRY_ME_NAMESPACE", "env", "file"),
    "try_me_anonymous": ("HERDSMAN_TRY_ME_ANONYMOUS", "true", "false"),
    "try_me_per_owner": ("HERDSMAN_TRY_ME_PER_OWNER", "5", "6"),
    "try_me_most": ("HERDSMAN_TRY_ME_MOST", "5", "6"),
    "try_me_seconds": ("HERDSMAN_TRY_ME_SECONDS", "5", "6"),
    "try_me_longest": ("HERDSMAN_TRY_ME_LONGEST", "5", "6"),
    "deployments_per_minute": ("HERDSMAN_DEPLOYMENTS_PER_MINUTE", "5", "6"),
    "usage": ("HERDSMAN_USAGE", "never", "always"),
    "usage_interval": ("HERDSMAN_USAGE_INTERVAL", "5", "6"),
    "usage_keep_days": ("HERDSMAN_USAGE_KEEP_DAYS", "5", "6"),
    "accounting_folder": ("HERDSMAN_ACCOUNTING_FOLDER", "/env", "/file"),
    "accounting_external": ("ACCOUNTING_PTH", "/env", "/file"),
    "oidc_issuer": ("HERDSMAN_OIDC_ISSUER", "https://env", "https://file"),
    "oidc_cacert": ("HERDSMAN_OIDC_CACERT", "/env", "/file"),
    "token_file": ("HERDSMAN_TOKEN_FILE", "/env", "/file"),
    "webhook_secret_file": ("HERDSMAN_WEBHOOK_SECRET_FILE", "/env", "/file"),
    "specs": ("HERDSMAN_SPECS", "/env", "/file"),
    "state": ("HERDSMAN_STATE", "/env", "/file"),
    "listen": ("HERDSMAN_LISTEN", "127.0.0.1:1", "127.0.0.1:2"),
    "workers": ("HERDSMAN_WORKERS", "3", "4"),
    "resync": ("HERDSMAN_RESYNC", "5", "6"),
    "source_poll": ("HERDSMAN_SOURCE_POLL", "5", "6"),
    "take_over": ("HERDSMAN_TAKE_OVER", "true", "false"),
    "log_format": ("HERDSMAN_LOG_FORMAT", "json", "console"),
    "log_level": ("HERDSMAN_LOG_LEVEL", "debug", "error"),
}


def shown(settings: Settings, name: str) -> str:
    value = getattr(settings, name)
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize("name", PLACES)
def test_flags_over_environment_over_file_over_defaults(name: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting, from each place: the nearer one holds."""
    variable, from_env, from_file = PLACES[name]
    default = shown(load({}), name)
    file.write_text(f"{name}: {from_file}\n")
    assert shown(load({}, file=file), name) == from_file
    monkeypatch.setenv(variable, from_env)
    assert shown(load({}, file=file), name) == from_env
    assert shown(load({name: from_file}), name) == from_file, "a flag"
    assert shown(load({name: None}), name) == from_env, "a flag that was not given"
    assert default not in (from_env, from_file) or isinstance(getattr(load({}), name), bool)


def test_every_setting_is_in_that_table() -> None:
    """But for secrets, which are no values to show, and for lists."""
    secrets = {"nomad_token", "git_token", "git_proxy", "webhook_secret"}
    assert Settings.model_fields.keys() == PLACES.keys() | secrets | LISTS | {"fleets", "vos"}


LISTS = {
    "include",
    "exclude",
    "verify_gpg_keys",
    "oidc_audience",
    "oidc_clients",
    "oidc_algorithms",
    "admins",
    "catalogs",
}


@pytest.mark.parametrize("name", sorted(LISTS))
def test_a_list_has_commas_in_a_variable(name: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the file it is a list, on the command line a flag that is given again."""
    file.write_text(f"{name}: [x, y]\n")
    assert [str(v) for v in getattr(load({}, file=file), name)] == ["x", "y"]
    monkeypatch.setenv(f"HERDSMAN_{name.upper()}", "a, b,")
    assert [str(v) for v in getattr(load({}, file=file), name)] == ["a", "b"]
    assert [str(v) for v in getattr(load({name: ("c",)}, file=file), name)] == ["c"]


def test_a_mapping_is_json_in_a_variable(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a mapping in the file."""
    file.write_text("vos: {vo.example.org: ai}\n")
    assert load({}, file=file).vos == {"vo.example.org": "ai"}
    monkeypatch.setenv("HERDSMAN_VOS", '{"other": "b"}')
    assert load({}, file=file).vos["other"] == "b"


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("NOMAD_TOKEN", "nomad_token"),
        ("HERDSMAN_NOMAD_TOKEN", "nomad_token"),
        ("HERDSMAN_GIT_TOKEN", "git_token"),
        ("HERDSMAN_GIT_PROXY", "git_proxy"),
        ("HERDSMAN_WEBHOOK_SECRET", "webhook_secret"),
    ],
)
def test_a_secret_is_never_shown(variable: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes from the environment or a file, and no rendering of the settings has it."""
    monkeypatch.setenv(variable, "hunter2")
    found = load({})

    assert getattr(found, name).get_secret_value() == "hunter2"
    assert "hunter2" not in f"{found!r} {found} {found.model_dump_json()}"


def test_our_own_variable_goes_before_nomads(monkeypatch: pytest.MonkeyPatch) -> None:
    """`HERDSMAN_NOMAD` is meant for this operator alone."""
    monkeypatch.setenv("NOMAD_ADDR", "http://nomad:1")
    monkeypatch.setenv("HERDSMAN_NOMAD", "http://herdsman:1")

    assert load({}).nomad == "http://herdsman:1"


def test_the_cluster_of_the_environment_can_be_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a Nomad of one's own: neither address nor token nor certificates of somebody's cluster count, flags do."""
    for name, value in {
        "NOMAD_ADDR": "http://theirs:1",
        "HERDSMAN_NOMAD": "http://theirs:2",
        "NOMAD_TOKEN": "t",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NOMAD_REGION", "theirs")
    monkeypatch.setenv("NOMAD_CACERT", "/theirs")
    monkeypatch.setenv("HERDSMAN_FLEET", "ours")

    found = load({}, ignore_nomad_env=True)

    assert (found.nomad, found.nomad_region, found.nomad_cacert) == (DEFAULT, "", None)
    assert found.nomad_token.get_secret_value() == ""
    assert found.fleet == "ours"
    assert load({"nomad": "http://mine:1"}, ignore_nomad_env=True).nomad == "http://mine:1"


def test_settings_of_one_load_are_not_those_of_the_next(file: Path) -> None:
    """A file counts for the load that named it."""
    file.write_text("fleet: one\n")
    assert load({}, file=file).fleet == "one"
    assert load({}).fleet == "default"


def test_several_fleets_have_what_the_process_has(file: Path) -> None:
    """But for name, state, and what is said of each; without any, there is one."""
    file.write_text(
        "state: /var/lib/herdsman\nnomad: http://shared:1\nresync: 7\nbranch: main\n"
        "fleets:\n  prod: {git: 'https://h/x.git', nomad: 'http://own:1', path: prod}\n  lab: {specs: /lab}\n"
    )
    prod, lab = load({}, file=file).each()

    assert (prod.fleet, prod.nomad, prod.path, prod.branch) == ("prod", "http://own:1", "prod", "main")
    assert (lab.fleet, lab.nomad, lab.specs, lab.git) == ("lab", "http://shared:1", Path("/lab"), "")
    assert (prod.state, lab.state) == (Path("/var/lib/herdsman/prod"), Path("/var/lib/herdsman/lab"))
    assert prod.resync == lab.resync == 7
    assert [s.fleet for s in load({}).each()] == ["default"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fleets: {a: {workrs: 1}}", "fleets.a.workrs"),
        ("fleets: {a: {workers: 99}}", "fleets.a.workers"),
        ("fleets: {a: {listen: '127.0.0.1:1'}}", "listen is of the whole process"),
        ("fleets: {'../a': {}}", "no name of a fleet"),
        ("fleets: {a: {fleets: {}}}", "fleets is of the whole process"),
    ],
)
def test_what_is_wrong_with_one_of_several_fleets(text: str, said: str, file: Path) -> None:
    """It is said with the fleet's name, before anything starts."""
    file.write_text(text)

    with pytest.raises(SettingsError) as caught:
        load({}, file=file)
    assert said in str(caught.value)


# -- what is said where one is wrong -----------------------------------------------------------------------------------

WRONG: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "a flag of another kind": ({"workers": "many"}, "", ["workers", "integer"]),
    "a flag out of range": ({"workers": 99}, "", ["workers", "16"]),
    "a choice that is none": ({"log_level": "loud"}, "", ["log_level", "debug", "error"]),
    "an unknown setting": ({}, "workrs: 5\n", ["workrs"]),
    "a value of another kind": ({}, "resync: soon\n", ["resync", "number"]),
    "several at once": ({"workers": 0}, "resync: -1\n", ["workers", "resync"]),
}


@pytest.mark.parametrize(("flags", "text", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_by_its_name(flags: dict[str, Any], text: str, said: list[str], file: Path) -> None:
    """Every mistake at once, each with the setting's name and what was expected, and where to look."""
    file.write_text(text)

    with pytest.raises(SettingsError) as caught:
        load(flags, file=file)

    assert all(word in caught.value.message for word in said), caught.value.message
    assert str(file) in caught.value.hint


def test_a_wrong_variable_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the setting that it feeds."""
    monkeypatch.setenv("NOMAD_SKIP_VERIFY", "perhaps")

    with pytest.raises(SettingsError, match=r"nomad_skip_verify: .*boolean"):
        load({})


def test_a_wrong_token_is_not_repeated(file: Path) -> None:
    """An error shows the name, never the value."""
    file.write_text("nomad_token: [hunter2]\n")

    with pytest.raises(SettingsError) as caught:
        load({}, file=file)

    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    """It was asked for by name."""
    with pytest.raises(SettingsError, match=r"nothing\.yaml: no such file"):
        load({}, file=tmp_path / "nothing.yaml")


def test_an_empty_file_sets_nothing(file: Path) -> None:
    """Nor does one of comments."""
    file.write_text("# nothing yet\n")

    assert load({}, file=file).workers == 8


def test_a_variable_beside_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the few that the operator itself has no use for."""
    assert environment("HERDSMAN_SERVER", "x") == "x"
    monkeypatch.setenv("HERDSMAN_SERVER", "http://127.0.0.1:1")
    assert environment("HERDSMAN_SERVER") == "http://127.0.0.1:1"


# -- what is wrong today -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["workers: [\n", "- workers\n", "just text\n"], ids=["no YAML", "a list", "a text"])
def test_a_file_that_cannot_be_understood_is_said(text: str, file: Path) -> None:
    """As an error of ours that names the file, not as a traceback."""
    file.write_text(text)

    with pytest.raises(SettingsError, match=r"herdsman\.yaml"):
        load({}, file=file)


@pytest.mark.parametrize(
    ("variable", "name", "expected"),
    [
        ("NOMAD_ADDR", "nomad", DEFAULT),
        ("NOMAD_SKIP_VERIFY", "nomad_skip_verify", False),
        ("NOMAD_CACERT", "nomad_cacert", None),
    ],
)
def test_an_empty_variable_is_none(variable: str, name: str, expected: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nomad's tools take a variable that is empty for one that is not set, and so do shells that clear it."""
    monkeypatch.setenv(variable, "")

    assert getattr(load({}), name) == expected
