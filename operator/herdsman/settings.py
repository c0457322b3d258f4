"""Settings, from four places: flags over environment over `herdsman.yaml` over defaults.

This is the only file that reads the environment. Nomad's own variables mean what they mean to every Nomad tool
(https://developer.hashicorp.com/nomad/docs/commands#environment-variables); ours begin with `HERDSMAN_`.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import yaml
from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from herdsman.errors import SettingsError


def _nomad(name: str) -> Any:
    """A setting with a Nomad variable of its own; the name of the field works in files and as `HERDSMAN_…` too."""
    return AliasChoices(name.lower(), f"HERDSMAN_{name.upper()}", name.upper())


class Settings(BaseSettings):
    """Everything that can be set. Durations are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="HERDSMAN_", extra="forbid", populate_by_name=True, env_ignore_empty=True
    )
    file: ClassVar[Path | None] = None

    specs: Path = Field(Path("specs"), description="The directory of spec files.")
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
    log_format: Literal["auto", "json", "console"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

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
        lines = [
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False, include_input=False)
        ]
        raise SettingsError(
            "; ".join(lines), hint=f"see the settings in {file}" if file else "see herdsman run --help"
        ) from None
    return found


def environment(name: str, default: str = "") -> str:
    """One variable of the environment, for the few that are not settings of the operator (`HERDSMAN_SERVER`)."""
    return os.environ.get(name, default)
