"""The server of a watch, and clients that go away."""

from __future__ import annotations

import socket
import struct
import threading
import urllib.request
from pathlib import Path

import pytest

from osform.cli.watch_board import Board
from osform.cli.watch_server import serving
from osform.cluster.counting import Counted
from osform.core.watching import Target, WatchSpec
from osform.files.repository import Repository
from tests.flows.memory import MemoryCluster


def gone(port: int) -> None:
    """Ask, and reset the connection at once, as a probe does that has waited for long enough."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_a_client_that_goes_away_leaves_no_traceback_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = WatchSpec("w", "r.git", "main", 1.0, 5.0, (Target("provision", None),))
    board = Board(spec, Counted(MemoryCluster()), Repository("r.git", tmp_path, {}))
    with serving(board, "127.0.0.1:0") as address:
        for _ in range(3):
            gone(int(address.rpartition(":")[2]))
        assert urllib.request.urlopen(f"{address}/healthz", timeout=10).read() == b"alive\n"
        for thread in [each for each in threading.enumerate() if "process_request" in each.name]:
            thread.join(10)
    assert capsys.readouterr().err == ""
