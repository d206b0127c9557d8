"""A page over an OpenSearch that is a function, with three pictures on disk."""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from osform.cluster.client import Cluster
from osform.flows.stack import Stack
from osform.ui import App, Limits, Server, Settings
from osform.ui.folders import Folders
from tests.proxy import Proxy
from tests.ui.opensearch import OpenSearch


def png(red: int, green: int, blue: int, side: int = 64) -> bytes:
    """A picture of one colour."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = (b"\0" + bytes((red, green, blue)) * side) * side
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures, beside a file that is none of the page's business."""
    root = tmp_path_factory.mktemp("disk")
    (root / "secret.png").write_bytes(png(0, 0, 0))
    folder = root / "shots"
    (folder / "2019").mkdir(parents=True)
    (folder / "cat.png").write_bytes(png(200, 120, 40))
    (folder / "2019" / "boat.png").write_bytes(png(180, 20, 30))
    (folder / "page.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    (folder / "out.png").symlink_to(root / "secret.png")
    return folder.resolve()


@dataclass
class Served:
    """A page that is served, and what stands for its cluster."""

    url: str
    opensearch: OpenSearch
    proxy: Proxy
    app: App


Serve = Callable[..., Served]


@pytest.fixture
def serve(shots: Path, tmp_path: Path) -> Iterator[Serve]:
    """Serves pages until the test ends."""
    ends: list[Callable[[], object]] = []

    def start(
        opensearch: OpenSearch | None = None,
        *,
        provision: Path | None = None,
        url: str | None = None,
        limits: Limits | None = None,
    ) -> Served:
        opensearch = opensearch or OpenSearch()
        proxy = Proxy("http://127.0.0.1:9", opensearch)
        proxy.__enter__()
        provision = provision or tmp_path / "no-stack"
        cluster = Cluster(url or proxy.url, timeout=20)
        app = App(cluster, Settings(lambda: Stack.load(provision), provision, folders=Folders((shots,))))
        server = Server(app, limits=limits or Limits())
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        ends.extend([server.shutdown, server.server_close, cluster.close, lambda: proxy.__exit__(None, None, None)])
        return Served(server.url, opensearch, proxy, app)

    yield start
    for end in ends:
        end()
