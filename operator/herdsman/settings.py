"""Settings, from four places: flags over environment over `herdsman.yaml` over defaults.

This is the only file that reads the environment. Nomad's own variables mean what they mean to every Nomad tool
(https://developer.hashicorp.com/nomad/docs/commands#environment-variables); ours begin with `HERDSMAN_`.
"""

import os
import re
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import yaml
from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from herdsman.errors import SettingsError


def _nomad(name: str) -> Any:
    """A setting with a Nomad variable of its own; the name of the field works in files and as `HERDSMAN_…` too."""
    return AliasChoices(name.lower(), f"HERDSMAN_{name.upper()}", name.upper())


def _words(value: Any) -> Any:
    """A list as a variable holds it: words with commas between them."""
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
Files = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_words)]


class Settings(BaseSettings):
    """Everything that can be set. Durations are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="HERDSMAN_", extra="forbid", populate_by_name=True, env_ignore_empty=True
    )
    file: ClassVar[Path | None] = None

    specs: Path = Field(Path("specs"), description="The directory of spec files.")
    git: str = Field("", description="URL of the Git repository that holds the specs; instead of `specs`.")
    branch: str = Field("", description="The branch that is followed; without any of the four, the remote's default.")
    tag: str = ""
    semver: str = Field("", description="The newest tag in this range is followed, like >=1.2 <2.")
    commit: str = Field("", description="This commit and no other, by its full ID.")
    path: str = Field("", description="The directory inside the repository that holds the specs.")
    include: Words = Field((), description="Patterns in gitignore syntax: nothing else counts.")
    exclude: Words = Field((), description="Patterns in gitignore syntax: these do not count.")
    git_interval: float = Field(60.0, gt=0, description="How often the remote is asked, without a webhook.")
    git_timeout: float = Field(
        60.0, gt=0, description="How long to wait for the remote; for a fetch ten times as long."
    )
    git_username: str = ""
    git_token: SecretStr = Field(SecretStr(""), description="Password or token for HTTPS.")
    git_token_file: Path | None = Field(None, description="The same in a file, which is read again for every call.")
    git_scheme: Literal["basic", "bearer"] = "basic"
    git_cacert: Path | None = None
    git_client_cert: Path | None = None
    git_client_key: Path | None = None
    git_ssh_key: Path | None = None
    git_known_hosts: Path | None = None
    git_proxy: SecretStr = SecretStr("")
    git_allow_insecure: bool = Field(default=False, description="Admit http, git and file URLs.")
    verify: Literal["", "head", "tag", "tag-and-head"] = Field("", description="What has to be signed.")
    verify_ssh_signers: Path | None = Field(None, description="Allowed signers, in the format of ssh-keygen.")
    verify_gpg_keys: Files = Field((), description="Files of exported GPG keys.")
    git_write: Literal["auto", "push", "pull-request", "off"] = Field(
        "auto",
        description="How specs are written: auto pushes where a branch is followed, unless signed.",
    )
    git_committer: str = Field("Herdsman <herdsman@localhost>", description="Who commits what others author.")
    git_keep_unpushed: bool = Field(default=False, description="Keep writes while the remote is away, and push later.")
    commit_status_token_file: Path | None = Field(
        None, description="A token for the host of the repository: it is told how each commit fares."
    )
    commit_status_provider: Literal["", "github", "gitlab", "gitea"] = Field(
        "", description="Whose API the host speaks, where its name does not tell."
    )
    commit_status_api: str = Field("", description="Where that API is, where it is not in its usual place.")
    webhook_secret: SecretStr = Field(SecretStr(""), description="What senders of webhooks prove that they know.")
    webhook_secret_file: Path | None = Field(None, description="The same in a file, which is read again each time.")
    state: Path = Field(Path(".herdsman"), description="Where status and history are kept.")
    listen: str = Field("127.0.0.1:8080", description="Address of API, dashboard and metrics; loopback only.")
    nomad: str = Field(
        "http://127.0.0.1:4646",
        description="Address of Nomad.",
        validation_alias=AliasChoices("nomad", "HERDSMAN_NOMAD", "NOMAD_ADDR"),
    )
    nomad_region: str = Field("", validation_alias=_nomad("nomad_region"))
    nomad_token: SecretStr = Field(SecretStr(""), validation_alias=_nomad("nomad_token"))
    nomad_token_file: Path | None = Field(None, validation_alias=_nomad("nomad_token_file"))
    nomad_cacert: Path | None = Field(None, validation_alias=_nomad("nomad_cacert"))
    nomad_capath: Path | None = Field(None, validation_alias=_nomad("nomad_capath"))
    nomad_client_cert: Path | None = Field(None, validation_alias=_nomad("nomad_client_cert"))
    nomad_client_key: Path | None = Field(None, validation_alias=_nomad("nomad_client_key"))
    nomad_tls_server_name: str = Field("", validation_alias=_nomad("nomad_tls_server_name"))
    nomad_skip_verify: bool = Field(default=False, validation_alias=_nomad("nomad_skip_verify"))
    nomad_timeout: float = Field(30.0, gt=0, description="How long to wait for an answer of Nomad.")
    fleet: str = Field("default", description="The fleet's name where no Fleet document gives one.")
    resync: float = Field(60.0, gt=0, description="How often Nomad is listed whole.")
    source_poll: float = Field(30.0, gt=0, description="How often the source is read without a hint.")
    workers: int = Field(8, ge=1, le=16, description="How many specs are looked at at once.")
    take_over: bool = Field(default=False, description="Take the fleet's name over from another source.")
    oidc_issuer: str = Field("", description="The OpenID issuer whose tokens are believed; without, loopback only.")
    oidc_audience: Words = Field((), description="What a token has to be meant for: any of these.")
    oidc_clients: Words = Field((), description="Which clients a token has to be issued to: any of these.")
    oidc_algorithms: Words = Field(("RS256", "ES256", "EdDSA"), description="How tokens may be signed.")
    oidc_cacert: Path | None = Field(None, description="The authorities of the issuer's TLS.")
    token_file: Path | None = Field(None, description="Service tokens, as `herdsman token create` writes them.")
    vos: dict[str, str] = Field(default_factory=dict, description="The Nomad namespace of each VO.")
    admins: Words = Field((), description="Administrators of everything: sub@issuer.")
    age_identity: Path | None = Field(None, description="What decrypts secrets in specs: a file of age-keygen.")
    site_domain: str = Field("localhost", description="What the hosts of deployments end in.")
    site_registry: str = Field("", description="Where images of catalog entries come from.")
    site_platform_registry: str = Field("", description="Where images that the platform adds come from.")
    site_service_provider: Literal["nomad", "consul"] = Field("nomad", description="Where services are registered.")
    site_labelled_nodes: bool = Field(default=False, description="Nodes say in their metadata what they are for.")
    site_disk_quotas: bool = Field(default=False, description="The container engine can limit a container's disk.")
    site_notify_url: str = Field("", description="Who is told when a deployment starts.")
    public_catalog: bool = Field(default=False, description="Nobody needs a token to read what there is to deploy.")
    try_me: bool = Field(default=True, description="Modules may be tried for a while.")
    try_me_namespace: str = Field("default", description="The Nomad namespace in which modules are tried.")
    try_me_anonymous: bool = Field(default=False, description="Trying needs no token; addresses are counted instead.")
    try_me_per_owner: int = Field(3, gt=0, description="How many one user may try at once.")
    try_me_most: int = Field(20, gt=0, description="How many may be tried at once by all.")
    try_me_seconds: float = Field(600.0, gt=0, description="For how long something may be tried.")
    try_me_longest: float = Field(3600.0, gt=0, description="For how long at most, where a user asks for longer.")
    deployments_per_minute: int = Field(300, gt=0, description="How many orders and changes one user may make.")
    catalogs: Words = Field((), description="Git URLs of more catalogs of modules and tools.")
    usage: Literal["auto", "always", "never"] = Field(
        "auto", description="Count usage: auto while there are Deployments."
    )
    usage_interval: float = Field(60.0, gt=0, description="How often allocations are listed to count usage.")
    usage_keep_days: int = Field(90, gt=0, description="For how long allocations are kept one by one.")
    accounting_folder: Path | None = Field(None, description="Where summaries of usage are written, as CSV.")
    accounting_external: Path | None = Field(
        None,
        description="A folder of somebody else's summaries, which are shown instead of our own.",
        validation_alias=AliasChoices("accounting_external", "HERDSMAN_ACCOUNTING_EXTERNAL", "ACCOUNTING_PTH"),
    )
    fleets: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Several fleets in one process: name -> the settings in which it differs."
    )
    log_format: Literal["auto", "json", "console"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    def each(self) -> "list[Settings]":
        """The settings of every fleet: these, or one for each of `fleets`. Raises `SettingsError`.

        A fleet has what the process has, but for its name, its own directory below `state`, and what is said of it.
        """
        if not self.fleets:
            return [self]
        return [self._of_fleet(name, own) for name, own in self.fleets.items()]

    def _of_fleet(self, name: str, own: Mapping[str, Any]) -> "Settings":
        shared = sorted(_OF_THE_PROCESS & own.keys())
        if shared or not _FLEET_NAME.fullmatch(name):
            raise SettingsError(
                f"fleets.{name}: {shared[0]} is of the whole process" if shared else f"{name!r} is no name of a fleet",
                hint="say it beside fleets, not below" if shared else "letters, digits, dots, - and _ make one",
            )
        inherited = {n: getattr(self, n) for n in type(self).model_fields if n not in ("fleets", "fleet")}
        if "git" in own and "specs" not in own:
            inherited["specs"] = type(self).model_fields["specs"].get_default()
        try:
            return Settings(
                **{"state": self.state / name, "fleet": name, **_without(inherited, {"state", *own}), **own}
            )
        except ValidationError as error:
            raise SettingsError(_lines(error, f"fleets.{name}."), hint="see herdsman run --help") from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then environment, then the file; named here because nothing else is meant to count."""
        sources: list[PydanticBaseSettingsSource] = [init_settings, env_settings]
        if cls.file is not None:
            sources.append(YamlConfigSettingsSource(settings_cls, yaml_file=cls.file))
        return tuple(sources)


def load(flags: Mapping[str, Any], *, file: Path | None = None, ignore_nomad_env: bool = False) -> Settings:
    """The settings in force. *flags* that are None were not given. Raises `SettingsError` with every mistake at once.

    With *ignore_nomad_env* (`herdsman dev`, tests) the cluster that `NOMAD_ADDR` names is left alone.
    """
    if file is not None and not file.is_file():
        raise SettingsError(f"{file}: no such file", hint="--config names the settings file")
    given = {k: v for k, v in flags.items() if v is not None}
    if ignore_nomad_env:
        names = [n for n in Settings.model_fields if n.startswith("nomad")]
        given = {**{n: Settings.model_fields[n].get_default() for n in names}, **given}
    kind = type("Settings", (Settings,), {"file": file, "__doc__": Settings.__doc__, "__module__": __name__})
    try:
        found: Settings = kind(**given)
    except (yaml.YAMLError, ValueError) as error:
        if not isinstance(error, ValidationError):
            words = " ".join(str(error).split())
            raise SettingsError(f"{file} is no YAML mapping of settings: {words}") from None
        raise SettingsError(
            _lines(error), hint=f"see the settings in {file}" if file else "see herdsman run --help"
        ) from None
    found.each()  # says now what is wrong with one of several fleets
    return found


_OF_THE_PROCESS = frozenset(
    {
        *("listen", "log_format", "log_level", "fleets", "token_file", "vos", "admins"),
        *("oidc_issuer", "oidc_audience", "oidc_clients", "oidc_algorithms", "oidc_cacert"),
    }
)
_FLEET_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)


def _lines(error: ValidationError, prefix: str = "") -> str:
    """Every mistake, by the setting's name, never with its value."""
    told = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{prefix}{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in told)


def _without(settings: Mapping[str, Any], names: Set[str]) -> dict[str, Any]:
    return {n: v for n, v in settings.items() if n not in names}


def environment(name: str, default: str = "") -> str:
    """One variable of the environment, for the few that are not settings of the operator (`HERDSMAN_SERVER`)."""
    return os.environ.get(name, default)
