"""A repository behind HTTPS and a password, served by Git itself: what is believed, and what is never said."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from osform.errors import RepositoryError
from osform.files.repository import Repository
from tests.certificates import Authority
from tests.serving import Quiet, listening
from tests.watched import QUIET, Origin

ALLOWED = "Basic " + base64.b64encode(b"bot:s3cret-token").decode()


class Backend(Quiet):
    """``git http-backend`` as a web server would call it, for whoever knows the password."""

    root = ""

    def do_GET(self) -> None:
        if self.headers.get("Authorization") != ALLOWED:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        environ = os.environ | QUIET | {"GIT_PROJECT_ROOT": self.root, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path}
        environ |= {"QUERY_STRING": query, "REQUEST_METHOD": self.command}
        told = {
            "CONTENT_TYPE": "Content-Type",
            "HTTP_CONTENT_ENCODING": "Content-Encoding",
            "GIT_PROTOCOL": "Git-Protocol",
        }
        environ |= {name: self.headers.get(header, "") for name, header in told.items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        done = subprocess.run(["git", "http-backend"], env=environ, input=body, capture_output=True, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        self.send_response(200)
        for line in head.decode().split("\r\n"):
            name, _, value = line.partition(": ")
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.do_GET()


@contextmanager
def served(origin: Origin, authority: Authority) -> Iterator[int]:
    pair = authority.issue("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    handler = type("Handler", (Backend,), {"root": str(origin.bare.parent)})
    with listening(handler, context) as address:
        yield int(address.rpartition(":")[2])


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def fetched(url: str, tmp_path: Path, **environ: str) -> Repository:
    # No credential helper and no .netrc of whoever runs this.
    usual = os.environ | QUIET | {"HOME": str(tmp_path), "no_proxy": "127.0.0.1"}
    repository = Repository(url, tmp_path / "mirror", usual | environ)
    repository.open()
    with closing(repository):
        repository.fetch()
    return repository


def test_a_repository_is_fetched_over_https_with_a_password(
    origin: Origin, authority: Authority, tmp_path: Path
) -> None:
    with served(origin, authority) as port:
        url = f"https://bot:s3cret-token@127.0.0.1:{port}/origin.git"
        repository = fetched(url, tmp_path, GIT_SSL_CAINFO=str(authority.file))
    assert (repository.files(repository.resolve("main")) / "a" / "one.txt").read_text() == "one"


@pytest.mark.parametrize(
    ("before", "trusted", "words"),
    [
        ("bot:wr0ng-token@", True, "Authentication failed for 'https://127.0.0.1"),
        ("", True, "could not read Username for 'https://127.0.0.1"),
        ("bot:s3cret-token@", False, "certificate"),
    ],
    ids=["a wrong password", "no password", "a certificate of nobody known"],
)
def test_who_is_not_let_in_hears_why_and_no_password(
    origin: Origin, authority: Authority, tmp_path: Path, before: str, trusted: bool, words: str
) -> None:
    environ = {"GIT_SSL_CAINFO": str(authority.file)} if trusted else {}
    with served(origin, authority) as port, pytest.raises(RepositoryError) as failed:
        fetched(f"https://{before}127.0.0.1:{port}/origin.git", tmp_path, **environ)
    assert words in failed.value.message
    assert "token" not in failed.value.message
    assert "bot" not in failed.value.message
