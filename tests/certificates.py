"""Certificates of every sort, and a server that has one of them: for tests of what is believed and what not."""

from __future__ import annotations

import http.server
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path

    @property
    def fingerprint(self) -> str:
        found = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        return found.fingerprint(hashes.SHA256()).hex()


class Authority:
    """A CA of a test's own; ``file`` is its certificate."""

    def __init__(self, folder: Path, name: str = "test CA") -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = folder / f"{name.replace(' ', '-')}.pem"
        made = self._made(self._name, self._key, days=10, ca=True)
        self.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        self._made_so_far = 0

    def issue(self, *names: str, days: int = 10) -> Pair:
        """A certificate for names or addresses, ``days`` from its end; a negative number is past it."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        made = self._made(subject, key, days=days, names=names)
        self._made_so_far += 1
        pair = Pair(*(self.folder / f"{self.file.stem}-{self._made_so_far}.{end}" for end in ("pem", "key")))
        pair.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        form, nobody = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, nobody))
        return pair

    def _made(self, subject: x509.Name, key: Any, days: int, *, ca: bool = False, names: tuple[str, ...] = ()) -> Any:
        end = datetime.now(UTC) + timedelta(days=days)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(end - timedelta(days=20))
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            made = made.add_extension(x509.SubjectAlternativeName([_name(each) for each in names]), critical=False)
        return made.sign(self._key, hashes.SHA256())


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


@dataclass(frozen=True)
class Said:
    """An answer. ``body`` is sent as JSON unless it is bytes."""

    status: int = 200
    body: Any = field(default_factory=lambda: {"version": {"number": "3.6.0", "distribution": "opensearch"}})
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Server:
    """A server on this machine. ``seen`` are the headers of what it was asked, with method and path."""

    url: str
    seen: list[dict[str, str]] = field(default_factory=list)


Answering = Callable[[str, str, Mapping[str, str], bytes], Said]


@contextmanager
def serving(
    answer: Said | Answering = Said(), pair: Pair | None = None, *, port: int = 0, client_ca: Path | None = None
) -> Iterator[Server]:
    """Serve one answer, or what a function of method, path, headers and body gives, with TLS where there is a pair."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            seen = {key.lower(): value for key, value in self.headers.items()}
            server.seen.append({**seen, ":method": self.command, ":path": self.path})
            said = answer(self.command, self.path, seen, body) if callable(answer) else answer
            content = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
            self.send_response_only(said.status)
            for key, value in {"content-type": "application/json", **said.headers}.items():
                self.send_header(key, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = serve

        def log_message(self, format: str, *args: Any) -> None:
            return

    class Quiet(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            return  # a client that went away, which is what tests are about

        def get_request(self) -> Any:
            connection, address = super().get_request()
            if pair is None:
                return connection, address
            return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    if pair is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        if client_ca is not None:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    listening = Quiet(("127.0.0.1", port), Handler)
    server = Server(f"{'https' if pair else 'http'}://127.0.0.1:{listening.server_port}")
    threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
