"""TLS, Unix sockets and tokens: how the adapter reaches a cluster, and what it refuses to send to whom."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.nomad.certificates import Authority, Pair
from adapters.nomad.fake import Asked, FakeNomad, Reply
from herdsman.adapters.nomad import NomadCluster, NomadConfig
from herdsman.errors import SettingsError, Unavailable

JOBS = Reply([], 200, {"X-Nomad-Index": "7"})


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Whom the server's certificate is from."""
    return Authority(tmp_path)


@pytest.fixture
def local(authority: Authority) -> Pair:
    """A certificate for the address that the fake listens on."""
    return authority.issue("127.0.0.1")


@pytest.fixture
def secure(authority: Authority, local: Pair) -> Iterator[FakeNomad]:
    """A fake behind TLS."""
    with FakeNomad(lambda _: JOBS, tls=authority.server_context(local)) as server:
        yield server


def lists(config: NomadConfig) -> int:
    """The index of a listing made with *config*."""
    cluster = NomadCluster(config, sleep=lambda _: None)
    try:
        return cluster.listing().index
    finally:
        cluster.close()


def test_an_unknown_authority_is_refused_by_default(secure: FakeNomad) -> None:
    """Where nothing is configured the server's certificate is verified, and no request is sent to one that fails."""
    attempts: list[str] = []
    cluster = NomadCluster(
        NomadConfig(address=secure.address), on_request=lambda *seen: attempts.append(seen[2]), sleep=lambda _: None
    )

    with pytest.raises(Unavailable, match="certificate is not valid") as caught:
        cluster.listing()

    assert "NOMAD_CACERT" in caught.value.hint
    assert secure.asked == []
    assert attempts == ["error"], "a certificate does not become valid in a moment"
    cluster.close()


@pytest.mark.parametrize("by", ["file", "folder"])
def test_a_configured_authority_is_believed(secure: FakeNomad, authority: Authority, tmp_path: Path, by: str) -> None:
    """A private authority may be given as a file, or as a folder of plain PEM files."""
    folder = tmp_path / "authorities"
    folder.mkdir()
    (folder / "ours.crt").write_bytes(authority.cert.read_bytes())
    config = NomadConfig(address=secure.address)
    trusting = replace(config, ca_cert=authority.cert) if by == "file" else replace(config, ca_path=folder)

    assert lists(trusting) == 7


def test_configured_authorities_are_the_only_ones(
    secure: FakeNomad, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any the system's are believed; with one, no other is, the system's included."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.cert))  # what OpenSSL takes for the system's
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")

    assert lists(NomadConfig(address=secure.address)) == 7
    with pytest.raises(Unavailable, match="certificate is not valid"):
        lists(NomadConfig(address=secure.address, ca_cert=other.cert))


def test_a_certificate_for_another_name_is_refused(authority: Authority) -> None:
    """The right authority is not enough: the name must be the one that was dialled."""
    pair = authority.issue("server.global.nomad")

    with (
        FakeNomad(lambda _: JOBS, tls=authority.server_context(pair)) as server,
        pytest.raises(Unavailable, match="certificate is not valid") as caught,
    ):
        lists(NomadConfig(address=server.address, ca_cert=authority.cert))

    assert "NOMAD_TLS_SERVER_NAME" in caught.value.hint


def test_the_server_name_can_be_given(authority: Authority) -> None:
    """With a server name, the certificate is checked for that name in place of the address."""
    pair = authority.issue("server.global.nomad")
    with FakeNomad(lambda _: JOBS, tls=authority.server_context(pair)) as server:
        right = NomadConfig(address=server.address, ca_cert=authority.cert, tls_server_name="server.global.nomad")
        wrong = NomadConfig(address=server.address, ca_cert=authority.cert, tls_server_name="server.other.nomad")

        assert lists(right) == 7
        with pytest.raises(Unavailable, match="certificate is not valid"):
            lists(wrong)


def test_verification_can_be_switched_off_by_name(secure: FakeNomad) -> None:
    """`skip_verify` accepts any certificate, without a warning for each request."""
    assert lists(NomadConfig(address=secure.address, skip_verify=True)) == 7


def test_a_client_certificate_is_presented(authority: Authority, local: Pair) -> None:
    """A server that asks for a certificate gets ours; without one there is no answer."""
    client = authority.issue("client.global.nomad")
    with FakeNomad(lambda _: JOBS, tls=authority.server_context(local, clients=authority.cert)) as server:
        bare = NomadConfig(address=server.address, ca_cert=authority.cert)
        known = NomadConfig(
            address=server.address, ca_cert=authority.cert, client_cert=client.cert, client_key=client.key
        )

        assert lists(known) == 7
        with pytest.raises(Unavailable):
            lists(bare)


def test_renewed_certificates_are_used_without_a_restart(secure: FakeNomad, tmp_path: Path) -> None:
    """The files are read again when they change: here the authority's."""
    (tmp_path / "old").mkdir()
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(Authority(tmp_path / "old").cert.read_bytes())
    cluster = NomadCluster(NomadConfig(address=secure.address, ca_cert=trusted), sleep=lambda _: None)
    with pytest.raises(Unavailable):
        cluster.listing()

    trusted.write_bytes((tmp_path / "ca.pem").read_bytes() + b"\n")

    assert cluster.listing().index == 7
    trusted.write_text("half a certif")
    assert cluster.listing().index == 7, "a file caught half-written leaves the last good one"
    cluster.close()


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"ca_cert": "absent.pem"}, "absent.pem cannot be used: No such file"),
        ({"ca_cert": "words.pem"}, "words.pem cannot be used: it is no PEM"),
        ({"ca_path": "absent"}, "absent cannot be read"),
        ({"client_cert": "words.pem"}, "needs its key"),
        ({"client_cert": "words.pem", "client_key": "words.pem"}, "words.pem cannot be used"),
    ],
)
def test_unusable_certificates_are_named_at_start(tmp_path: Path, broken: dict[str, str], words: str) -> None:
    """A wrong path or file is a setting error that names the file, before anything is asked."""
    (tmp_path / "words.pem").write_text("no certificate")
    paths: dict[str, Any] = {name: tmp_path / file for name, file in broken.items()}

    with pytest.raises(SettingsError, match=words):
        NomadCluster(NomadConfig(address="https://127.0.0.1:1", **paths))


@pytest.mark.parametrize(
    "address", ["127.0.0.1:4646", "ftp://nomad:4646", "", "https://", "http://nomad:port", "http://nomad:99999"]
)
def test_an_address_that_is_none_is_refused_at_start(address: str) -> None:
    """An address without a known scheme or a host is a setting error."""
    with pytest.raises(SettingsError, match="address"):
        NomadCluster(NomadConfig(address=address))


def test_a_unix_socket_will_do(tmp_path: Path) -> None:
    """`unix://` reaches the API that Nomad offers its own tasks, token and all."""
    path = tmp_path / "api.sock"
    with FakeNomad(lambda _: JOBS, socket_path=path) as server:
        assert lists(NomadConfig(address=f"unix://{path}", token="workload-identity")) == 7
        assert server.asked[0].headers["X-Nomad-Token"] == "workload-identity"
        assert server.asked[0].path == "/v1/jobs"


def test_a_missing_unix_socket_is_told_in_words(tmp_path: Path) -> None:
    """A socket that is not there is an unavailable Nomad, with its address."""
    with pytest.raises(Unavailable, match=r"unix://.*api\.sock.*No such file"):
        lists(NomadConfig(address=f"unix://{tmp_path}/api.sock"))


def test_a_token_file_is_read_again_when_it_changes(fake: FakeNomad, tmp_path: Path) -> None:
    """A renewed workload identity is sent from the next request on; a file that vanishes leaves the last token."""
    file = tmp_path / "nomad_token"
    file.write_text("first\n")
    fake.answers = lambda _: JOBS
    cluster = NomadCluster(NomadConfig(address=fake.address, token="ignored", token_file=file))

    cluster.listing()
    file.write_text("second!")
    cluster.listing()
    file.write_text("third-\n")  # as long as the second: the time tells
    os.utime(file, ns=(1, 1))
    cluster.listing()
    file.unlink()
    cluster.listing()

    assert [asked.headers["X-Nomad-Token"] for asked in fake.asked] == ["first", "second!", "third-", "third-"]
    cluster.close()


@pytest.mark.parametrize("content", ["", "  \n", "two words", "line\nbreak", "naïve"])
def test_a_token_that_no_header_may_carry_is_never_shown(tmp_path: Path, content: str) -> None:
    """An unusable token is a setting error that names the file and quotes nothing."""
    file = tmp_path / "token"
    file.write_text(content)

    with pytest.raises(SettingsError, match="token") as caught:
        NomadCluster(NomadConfig(token_file=file))

    assert not content.strip() or content.strip() not in str(caught.value)


def test_no_repr_shows_a_token(fake: FakeNomad) -> None:
    """Neither the configuration, nor the adapter, nor the library's objects inside it print the token."""
    config = NomadConfig(address=fake.address, token="s3cr3t-t0k3n")
    cluster = NomadCluster(config)
    inside = [config, cluster, *vars(cluster).values()]
    inside += [part for thing in list(inside) if hasattr(thing, "__dict__") for part in vars(thing).values()]

    assert not [thing for thing in inside if "s3cr3t" in f"{thing!r}{thing!s}"]


def test_a_redirect_is_not_followed(fake: FakeNomad) -> None:
    """No method follows a redirect, so the token stays where it was meant for."""
    with FakeNomad(lambda _: Reply([])) as elsewhere:
        fake.always("", 307, Location=f"{elsewhere.address}/v1/jobs")
        cluster = NomadCluster(NomadConfig(address=fake.address, token="secret"))

        with pytest.raises(Unavailable, match="307"):
            cluster.listing()
        with pytest.raises(Unavailable, match="307"):
            cluster.put_namespace({"Name": "team"})
        cluster.close()

        assert elsewhere.asked == []


def test_the_environment_is_not_read(fake: FakeNomad, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a shell exports (an address, a token, a region, a proxy) reaches no request: settings are given."""
    for name in ("NOMAD_ADDR", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NOMAD_TOKEN", "NOMAD_REGION", "NOMAD_NAMESPACE"):
        monkeypatch.setenv(name, "from-the-environment")
    fake.answers = lambda _: JOBS

    lists(NomadConfig(address=fake.address))

    asked: Asked = fake.asked[0]
    assert "from-the-environment" not in f"{asked.target} {asked.headers}"
    assert "X-Nomad-Token" not in asked.headers


def test_a_password_in_the_address_is_not_told() -> None:
    """An address with credentials is shown without them."""
    with pytest.raises(Unavailable) as caught:
        lists(NomadConfig(address="http://ann:hunter2@127.0.0.1:9", connect_timeout=0.5))

    assert "hunter2" not in str(caught.value)
    assert "http://127.0.0.1:9" in str(caught.value)
