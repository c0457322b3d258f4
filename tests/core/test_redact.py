"""Which values are told as they are, and which by a fingerprint."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.core.redact import CHANGED, MASK, field_change, redact

T = "TaskGroups[web].Tasks[main]"
MASKED = MASK[:-1]

SECRET = [
    (f"{T}.Env[DB_PASSWORD]", "x"),
    (f"{T}.Env[db_pwd]", "hunter2"),
    (f"{T}.Env[API_KEY]", "abc"),
    (f"{T}.Env[APIKEY]", "abc"),
    (f"{T}.Env[AUTH_TOKEN]", "abc"),
    (f"{T}.Env[AWS_SECRET_ACCESS_KEY]", "abc"),
    (f"{T}.Env[SENTRY_DSN]", "abc"),
    (f"{T}.Config[auth][0][password]", "abc"),
    (f"{T}.Config.auth[0].password", "abc"),
    (f"{T}.Meta[private]", "abc"),
    ("Meta[client_secret]", "abc"),
    (f"{T}.Artifacts[x].GetterHeaders[Authorization]", "Basic abc"),
    (f"{T}.Templates[local/x].EmbeddedTmpl", "anything at all"),
    (f"{T}.Template.EmbeddedTmpl", "anything at all"),
    ("Payload", "aGVsbG8="),
    ("VaultToken", "x"),
    (f"{T}.Env[DATABASE_URL]", "postgres://user:hunter2@db/app"),
    (f"{T}.Config[args][1]", "https://user:hunter2@example.org/"),
    (f"{T}.Env[X]", "-----BEGIN RSA PRIVATE KEY-----\nabc"),
    (f"{T}.Env[X]", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x"),
    (f"{T}.Env[X]", "ghp_abcdefgh1234"),
    (f"{T}.Env[X]", "hvs.CAESIabcdefgh"),
    (f"{T}.Env[X]", "AKIAIOSFODNN7EXAMPLE"),
    (f"{T}.Env[X]", "dGhpcyBpcyBhIHZlcnkgc2VjcmV0IHZhbHVl"),
]

PLAIN = [
    ("Priority", "50"),
    (f"{T}.Driver", "docker"),
    (f"{T}.Config[image]", "nginx:1.27"),
    (f"{T}.Config[image]", "registry.example.org/team/app/service-component:1.2.3"),
    (f"{T}.Config[command]", "/usr/bin/python3"),
    (f"{T}.Config[args][0]", "--config=/etc/my-application/conf.d/production/settings.yaml"),
    (f"{T}.Config[volumes][0]", "/srv/data/postgres:/var/lib/postgresql/data"),
    (f"{T}.Env[PATH]", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"),
    (f"{T}.Env[LOG_LEVEL]", "debug"),
    (f"{T}.Env[HOST]", "${attr.unique.network.ip-address}"),
    (f"{T}.Artifacts[x].GetterSource", "https://example.org/releases/download/v1.2.3/app-linux-amd64.tar.gz"),
    (f"{T}.Templates[local/x].DestPath", "local/secrets.env"),
    (f"{T}.Vault.ChangeMode", "restart"),
    ("TaskGroups[web].Services[web].Checks[alive].Path", "/health"),
    ("Constraints[0].LTarget", "${attr.kernel.name}"),
    ("Meta[owner]", "someone@example.org"),
]


@pytest.mark.parametrize(("path", "value"), SECRET)
def test_what_may_be_a_secret_is_not_told(path: str, value: str) -> None:
    """Free-form values whose name or look suggests a credential, and templates always."""
    shown = redact(path, value)

    assert shown.startswith(MASKED)
    assert value not in shown


@pytest.mark.parametrize(("path", "value"), PLAIN)
def test_what_a_reader_needs_is_told(path: str, value: str) -> None:
    """Images, paths, commands and numbers are what a diff is read for."""
    assert redact(path, value) == value


LONG = {
    "an image by its digest": (f"{T}.Config[image]", f"nginx@sha256:{'ab12' * 16}"),
    "a long command": (f"{T}.Config[command]", "/usr/lib/jvm/java-17-openjdk-amd64/bin/java"),
    "a long service name": ("TaskGroups[web].Services[x].Name", "frontend-for-our-customers-in-europe"),
}


@pytest.mark.parametrize(("path", "value"), LONG.values(), ids=LONG.keys())
def test_what_is_long_is_no_secret_by_itself(path: str, value: str) -> None:
    """A digest, a path or a name is told, whatever its length."""
    assert redact(path, value) == value


@pytest.mark.parametrize("argument", ["--password=hunter2", "--api-token=hunter2", "DB_PASSWORD=hunter2"])
def test_a_secret_in_an_argument_is_not_told(argument: str) -> None:
    """Arguments say themselves what they are."""
    assert "hunter2" not in redact(f"{T}.Config[args][0]", argument)


@pytest.mark.parametrize("image", ["example/tokenizer:1.2", "example/vault-secrets-operator:0.8"])
def test_an_image_that_is_called_like_a_secret_is_told(image: str) -> None:
    """A tag is no value of the name before it."""
    assert redact(f"{T}.Config[image]", image) == image


texts = st.text(min_size=1, max_size=40)


@given(texts, texts)
def test_of_a_secret_only_the_change_is_told(one: str, other: str) -> None:
    """A reader sees whether a secret changed, and nothing else of it."""
    change = field_change(f"{T}.Env[PASSWORD]", one, other)

    assert change.old == MASK
    assert change.new == (CHANGED if one else MASK)


@pytest.mark.parametrize("path", ["Priority", f"{T}.Env[PASSWORD]", "Payload"])
def test_nothing_stays_nothing(path: str) -> None:
    """That there is no value is no secret."""
    assert redact(path, "") == ""


def test_a_long_value_is_cut() -> None:
    """A diff is read, not scrolled."""
    shown = redact("Meta[text]", "word " * 100)

    assert len(shown) == 201
    assert shown.endswith("…")
