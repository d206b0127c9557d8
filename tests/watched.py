"""A bare Git repository on disk, somebody who commits to it, and ``osform watch`` as processes of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from osform.files.repository import Repository

QUIET = {
    "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com", "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
}  # fmt: skip


@dataclass
class Origin:
    """A bare repository, and a clone of it in which files are edited."""

    root: Path

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.bare, self.clone = self.root / "origin.git", self.root / "clone"
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.bare), where=self.root)
        self.git("init", "--quiet", "--initial-branch=main", str(self.clone), where=self.root)
        self.git("remote", "add", "origin", str(self.bare))

    def git(self, *words: str, where: Path | None = None) -> str:
        """A Git command in the clone."""
        done = subprocess.run(
            ["git", "-C", str(where or self.clone), *words], env=os.environ | QUIET, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"git {words}: {done.stderr}"
        return done.stdout.strip()

    def write(self, name: str, text: str | None) -> None:
        """Write a file of the clone, or take it away."""
        path = self.clone / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            path.unlink()
        else:
            path.write_text(text)

    def commit(self, message: str, files: dict[str, str | None] | None = None, *, push: bool = True) -> str:
        """Commit all that differs, and push it; the commit."""
        for name, text in (files or {}).items():
            self.write(name, text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        if push:
            self.push()
        return self.head

    def push(self) -> None:
        self.git("push", "--quiet", "--force", "origin", "HEAD:main")

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")


def opened(origin: Origin, folder: Path) -> Repository:
    """A mirror of the origin in a folder, fetched; to be closed."""
    repository = Repository(str(origin.bare), folder / "mirror", os.environ | QUIET)
    repository.open()
    repository.fetch()
    return repository


@dataclass
class Watcher:
    """One ``osform watch`` process."""

    file: Path
    url: str
    folder: Path
    environ: dict[str, str]
    process: subprocess.Popen[str] | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    address: str = ""

    def start(self) -> None:
        command = [sys.executable, "-m", "osform", "watch", str(self.file), "--cluster", self.url]
        command += ["--listen", "127.0.0.1:0", "--folder", str(self.folder), "--format", "json"]
        self.address = ""
        self.process = subprocess.Popen(
            command, env=os.environ | QUIET | self.environ, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                if not line.startswith("{"):
                    self.other.append(line)
                    continue
                event = json.loads(line)
                if found := re.search(r"probes at (http://\S+)", event["message"]):
                    self.address = found[1]
                self.events.append(event)

    def kill(self) -> None:
        """As a machine that goes down would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        """As Kubernetes would end it."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(30)

    def get(self, path: str) -> str:
        """What the watch's own server answers; empty where it doesn't."""
        try:
            with urllib.request.urlopen(f"{self.address}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except (OSError, ValueError):
            return ""

    def status(self) -> dict[str, Any]:
        text = self.get("/status.json")
        return dict(json.loads(text)) if text else {}

    def standing(self, target: int = 0) -> dict[str, Any]:
        """How a target stands, by the page."""
        return dict((self.status().get("stacks") or [{}, {}, {}])[target])

    def metric(self, name: str) -> float:
        """The sum of a metric's samples; ``name`` may have labels."""
        head = re.escape(name) if "{" in name else re.escape(name) + r"(?:\{[^\n]*\})?"
        return sum(float(each) for each in re.findall(rf"^{head} (\S+)$", self.get("/metrics"), re.MULTILINE))

    def start_of(self, what: str, seconds: float = 60.0) -> dict[str, Any]:
        """The newest event of that name, once there is one."""
        return until(lambda: next((e for e in reversed(self.events) if e["event"] == what), {}), bool, seconds, self)

    def waits_for(self, state: str, head: str, seconds: float = 60.0) -> dict[str, Any]:
        """The standing once it is so, of that commit."""
        return until(lambda: self.standing(), lambda s: (s.get("state"), s.get("head")) == (state, head), seconds, self)


def until(
    look: Callable[[], dict[str, Any]], holds: Callable[[dict[str, Any]], bool], seconds: float, watcher: Watcher
) -> dict[str, Any]:
    """Look until it holds."""
    ends = time.monotonic() + seconds
    while not holds(found := look()):
        lines = "\n".join(map(str, [*watcher.events[-8:], *watcher.other[-20:]]))
        assert time.monotonic() < ends, f"{found}\n{lines}"
        time.sleep(0.1)
    return found


@contextmanager
def watching(*watchers: Watcher) -> Iterator[None]:
    """Started, and gone at the end whatever happens."""
    for each in watchers:
        each.start()
    try:
        yield
    finally:
        for each in watchers:
            if each.process is not None and each.process.poll() is None:
                each.kill()
