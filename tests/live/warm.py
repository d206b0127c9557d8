"""Commands as a user types them, in processes of their own, less the second in which each would import osform.

A server has imported it, and forks for each command. Those that are to be killed or talked to are started as ever.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import socket
import socketserver
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

IMPORTED = (
    "osform.cli.main", "osform.cli.stack", "osform.cli.plans", "osform.cli.console", "osform.cli.plan_words",
    "osform.flows.stack", "osform.flows.connecting", "osform.flows.applying", "osform.flows.drifting",
)  # fmt: skip


def run(words: Sequence[str], cwd: Path, environ: Mapping[str, str], seconds: float = 300) -> tuple[int, str, str]:
    """Exit status (-1 of one that was killed), standard output and error of ``osform WORDS``."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as asking:
        out, err = Path(folder, "out"), Path(folder, "err")
        asked = {"words": words, "cwd": str(cwd), "environ": dict(environ), "out": str(out), "err": str(err)}
        asking.settimeout(seconds)
        asking.connect(_server())
        asking.sendall(json.dumps(asked).encode() + b"\n")
        status = asking.recv(16)
        return int(status or -1), out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8")


@cache
def _server() -> str:
    """Where this process has its server, which ends when its standard input does."""
    path = str(Path(tempfile.mkdtemp(prefix="osform-warm-"), "socket"))
    command = [sys.executable, "-m", "tests.live.warm", path]
    root = Path(__file__).parent.parent.parent
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root)
    assert server.stdin is not None
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    atexit.register(_end, server)
    return path


def _end(server: subprocess.Popen[bytes]) -> None:
    server.communicate()


class _Command(socketserver.StreamRequestHandler):
    """In the fork: this process becomes the command."""

    def handle(self) -> None:
        asked = json.loads(self.rfile.readline())
        os.chdir(asked["cwd"])
        os.environ.clear()
        os.environ.update(asked["environ"])
        for number, name, flags in ((0, os.devnull, os.O_RDONLY), (1, asked["out"], _NEW), (2, asked["err"], _NEW)):
            os.dup2(os.open(name, flags), number)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, mode, encoding="utf-8") for n, mode in enumerate("rww"))
        status = _status(asked["words"])
        sys.stdout.flush()
        sys.stderr.flush()
        self.wfile.write(str(status).encode())


_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def _status(words: list[str]) -> int:
    from osform.cli.main import main

    sys.argv = ["osform", *words]
    try:
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        return 1


class _Forking(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    """One process a command."""


def _serve(path: str) -> None:
    for name in IMPORTED:
        import_module(name)
    gc.freeze()
    with _Forking(path, _Command) as server:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while sys.stdin not in (ready := select.select([server, sys.stdin], [], [], 1)[0]):
            if ready:
                server.handle_request()
            server.service_actions()


if __name__ == "__main__":
    _serve(sys.argv[1])
