"""What git says, in words for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.adapters.git.command import Done
from herdsman.adapters.git.failures import _ROWS, _TABLE, explain, said_last

SSH_KEY, HOST_KEY, TLS = "not accept the ssh key", "not the one that known_hosts names", "no trusted connection"

SAID = {
    "unable to access 'https://h/x/': Could not resolve host: h": "host of PLACE is not known",
    "ssh: Could not resolve hostname h: Name or service not known\nfatal: Could not read from remote repository.": (
        "host of PLACE is not known"
    ),
    "fatal: unable to look up h (port 9418) (Name or service not known)": "host of PLACE is not known",
    "ERROR: Repository not found.\nfatal: Could not read from remote repository.": "no repository at PLACE",
    "remote: Repository not found.\nfatal: repository 'https://h/x/' not found": "no repository at PLACE",
    "fatal: '/x' does not appear to be a git repository": "no repository at PLACE",
    "fatal: remote error: access denied or repository not exported: /x": "no repository at PLACE",
    "fatal: unable to access 'https://h/x/': The requested URL returned error: 404": "no repository at PLACE",
    "remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'https://h/x/'": "not accept the credentials",
    "fatal: could not read Username for 'https://h': terminal prompts disabled": "not accept the credentials",
    "fatal: unable to access 'https://h/x/': The requested URL returned error: 403": "not accept the credentials",
    "git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.": SSH_KEY,
    'Load key "/k": error in libcrypto: invalid format\ngit@h: Permission denied (publickey).': SSH_KEY,
    "Permissions 0644 for '/k' are too open.\n@ WARNING: UNPROTECTED PRIVATE KEY FILE! @": "others may read its file",
    "Host key verification failed.\nfatal: Could not read from remote repository.": HOST_KEY,
    "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @": HOST_KEY,
    "No ED25519 host key is known for h and you have requested strict checking.": HOST_KEY,
    "fatal: unable to access 'https://h/': SSL certificate problem: unable to get local issuer": TLS,
    "fatal: unable to access 'https://h/': server certificate verification failed. CAfile: none": TLS,
    "fatal: unable to access 'https://h/': gnutls_handshake() failed: A TLS fatal alert": TLS,
    "fatal: unable to access 'https://h/': error setting certificate file: /ca": TLS,
    "fatal: unable to access 'https://h/': Failed to connect to h port 443 after 0 ms: Connection refused": (
        "PLACE cannot be reached"
    ),
    "ssh: connect to host h port 22: Connection timed out": "PLACE cannot be reached",
    "fatal: unable to access 'https://h/': Operation too slow. Less than 1 bytes/sec": "PLACE cannot be reached",
    "fatal: unable to access 'https://h/': The requested URL returned error: 429": "PLACE cannot be reached",
    "fatal: unable to access 'https://h/': The requested URL returned error: 502": "PLACE cannot be reached",
    "error: RPC failed; curl 18 transfer closed with outstanding read data remaining": "broke the connection off",
    "error: RPC failed; curl 56 GnuTLS recv error (-110): The TLS connection was non-properly terminated.": (
        "broke the connection off"
    ),
    "fetch-pack: unexpected disconnect while reading sideband packet\nfatal: early EOF": "broke the connection off",
    "fatal: unable to access 'https://h/': OpenSSL SSL_connect: Connection reset by peer": "broke the connection off",
    "client_loop: send disconnect: Broken pipe": "broke the connection off",
    "fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack output": "no room left",
    "error: unable to write file objects/x: Disk quota exceeded": "no room left",
    "error: unable to create temporary file: Read-only file system": "cannot be written",
    "fatal: Unable to create '/c/shallow.lock': File exists.": "cannot be written",
    "fatal: detected dubious ownership in repository at '/x'": "belongs to another user",
    "fatal: unable to access 'https://h/': The requested URL returned error: 301": "PLACE has moved",
    "fatal: couldn't find remote ref refs/heads/main": "does not have, or does not hand out",
    "fatal: remote error: upload-pack: not our ref 1111": "does not have, or does not hand out",
    "error: Server does not allow request for unadvertised object 1111": "does not have, or does not hand out",
    "fatal: protocol error: bad line length character: <htm": "does not answer as a Git server",
    "fatal: https://h/x/info/refs not valid: is this a git repository?": "does not answer as a Git server",
    "fatal: fetch-pack: invalid index-pack output": "does not answer as a Git server",
    "fatal: transport 'file' not allowed": "leads to another protocol",
}


@pytest.mark.parametrize("err", SAID)
def test_what_is_made_of_it(err: str) -> None:
    """What git, curl, ssh and servers say of each kind of trouble becomes what happened, in our words and theirs."""
    error = explain(Done(128, b"", err), "PLACE")

    assert SAID[err] in error.message
    assert "PLACE" in error.message
    assert error.hint


@pytest.mark.parametrize("err", [err for err in SAID if "https://h/" in err])
def test_names_are_no_trouble(err: str) -> None:
    """A repository whose URL holds the words of an error is told of like any other."""
    named = err.replace("https://h/", "https://h/SSL-certificate/alert/403/timed-out/early-EOF/")

    assert SAID[err] in explain(Done(128, b"", named), "PLACE").message


def test_every_row_is_used() -> None:
    """No pattern of the table stands behind another that takes all its lines."""
    told = {explain(Done(128, b"", err), "PLACE").hint for err in SAID}

    assert {hint for _, _, hint in _ROWS} == told


def test_what_no_row_knows() -> None:
    """It is shown as git said it: the last error counts, without what the remote made git repeat."""
    err = "hint: try this\nerror: one\nfatal: two\nremote: \x1b[31mlook here\x1b[0m\n"

    assert explain(Done(1, b"", err), "PLACE").message == "git failed with PLACE: two"
    assert explain(Done(3, b"", ""), "PLACE").message == "git failed with PLACE: exit code 3"
    assert said_last("plain words") == "plain words"


@given(st.text(max_size=2000), st.sampled_from(list(SAID)))
def test_any_text_is_one_printable_line(noise: str, err: str) -> None:
    """A terminal is not led astray by what a server says, however much of it."""
    for text in (noise, f"{noise}\n{err}"):
        message = explain(Done(1, b"", text), "PLACE").message
        assert message.isprintable()
        assert len(message) < 500


def test_no_pattern_takes_everything() -> None:
    """A row that fits to nothing in particular would hide what git says."""
    assert not [pattern.pattern for pattern, _, _ in _TABLE if pattern.search("fatal: something that never was")]
