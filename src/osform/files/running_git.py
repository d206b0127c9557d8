"""Git commands on a mirror: never asked for a password, never longer than they may take, no secret in a message."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from osform.errors import RepositoryError

_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LFS_SKIP_SMUDGE": "1",  # the same files on every machine, whether it has Git LFS or not
    "LC_ALL": "C",
}
# Where this runs in a hook of another repository, these name that one.
_OF_ANOTHER = (
    "GIT_DIR", "GIT_COMMON_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH", "GIT_NAMESPACE", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE",
)  # fmt: skip
# Nothing of a repository is ever run: no hooks, no file system monitor. Cleaning up is asked for, not met with.
_SAFE = (
    "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false",
    "-c", "gc.autoDetach=false", "-c", "maintenance.auto=false", "-c", "versionsort.suffix=-",
)  # fmt: skip
_SSH = "ssh -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=20"
_BEAT = 5.0
_LONGEST = 4 * 3600.0
_KEPT = 8192  # letters of what a long command says
_PROGRESS = re.compile(r"\d+% \(\d|^ |^From |^(?:remote: )?(?:Enumerating|Counting|Compressing) objects")


@dataclass
class Git:
    """Git for one mirror of ``url``. ``seconds`` is how long a command may take, and how long a fetch may say nothing.

    ``beat`` is called every few seconds while one runs; ``held`` are open files that its processes keep as well.
    """

    url: str
    mirror: Path
    environ: Mapping[str, str]
    seconds: float
    beat: Callable[[], None]
    held: tuple[int, ...] = ()
    commands: int = 0

    def __call__(
        self, *words: str, more: Mapping[str, str] | None = None, bare: bool = True, longest: float | None = None
    ) -> str:
        """What a command prints. Raises RepositoryError with what it said, or where it took too long."""
        process = self._start(words, more or {}, bare=bare, out=subprocess.PIPE)
        longest = longest or self.seconds
        ends = time.monotonic() + longest
        try:
            while True:
                try:
                    out, err = process.communicate(timeout=min(_BEAT, max(0.01, ends - time.monotonic())))
                    break
                except subprocess.TimeoutExpired as error:
                    self.beat()
                    if time.monotonic() >= ends:
                        raise self._late(words, f"took longer than {longest:.0f} s") from error
        finally:
            _end(process)
        self._check(process, words, err.decode(errors="replace"))
        return str(out.decode(errors="replace")).strip()

    def steadily(self, *words: str) -> None:
        """A command that may take hours, and says how far it is: ended where nothing is heard of it."""
        process = self._start(words, {}, bare=True, out=subprocess.DEVNULL)
        assert process.stderr is not None
        ends = time.monotonic() + _LONGEST
        try:
            said = self._listen(words, process.stderr, ends)
            process.wait(self.seconds)
        except subprocess.TimeoutExpired as error:
            raise self._late(words, "did not end") from error
        finally:
            _end(process)
        self._check(process, words, said)

    def _listen(self, words: tuple[str, ...], heard: IO[bytes], ends: float) -> str:
        said, silent = b"", time.monotonic() + self.seconds
        while True:
            left = min(silent, ends) - time.monotonic()
            if left <= 0:
                raise self._late(words, f"said nothing for {self.seconds:.0f} s, or took too long")
            ready, _, _ = select.select([heard], [], [], min(_BEAT, left))
            self.beat()
            if ready:
                chunk = os.read(heard.fileno(), 65536)
                if not chunk:
                    return said.decode(errors="replace")
                said, silent = (said + chunk)[-_KEPT:], time.monotonic() + self.seconds

    def _start(
        self, words: tuple[str, ...], more: Mapping[str, str], *, bare: bool, out: int
    ) -> subprocess.Popen[bytes]:
        self.commands += 1
        where = ("--git-dir", str(self.mirror)) if bare else ()
        own = {name: value for name, value in self.environ.items() if name not in _OF_ANOTHER}
        try:
            return subprocess.Popen(
                ["git", *_SAFE, *where, *words], env={"GIT_SSH_COMMAND": _SSH, **own, **_QUIET, **more},
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, start_new_session=True,
                pass_fds=self.held,
            )  # fmt: skip
        except OSError as error:
            message = f"git can't be run: {error.strerror or error}"
            raise RepositoryError(message, hint="osform watch needs the command git") from error

    def _check(self, process: subprocess.Popen[bytes], words: tuple[str, ...], said: str) -> None:
        if process.returncode != 0:
            lines = [line for line in re.split(r"[\r\n]+", self.scrubbed(said)) if not _PROGRESS.search(line)]
            why = "\n".join(lines).strip() or f"exit status {process.returncode}"
            raise RepositoryError(f"{self.shown}: git {_verb(words)}: {why}")

    def _late(self, words: tuple[str, ...], how: str) -> RepositoryError:
        return RepositoryError(f"{self.shown}: git {_verb(words)} {how}")

    @property
    def shown(self) -> str:
        """The URL without a user or a password in it."""
        return self.scrubbed(self.url)

    def scrubbed(self, text: str) -> str:
        """A text without what stands before the host of a URL."""
        before = _before_host(self.url)
        if before:
            text = text.replace(f"{before}@", "")
            word = before.partition(":")[2]
            for secret in {each for each in (word, unquote(word)) if len(each) > 3}:
                text = text.replace(secret, "***")
        return re.sub(r"//[^/\s]*@", "//", text)


def _end(process: subprocess.Popen[bytes]) -> None:
    """No process is left behind; what it started, ssh for one, goes with it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    process.wait()


def _before_host(url: str) -> str:
    """User and password of a URL, also where the password has letters in it that it should not have."""
    before, at, _ = url.partition("://")[2].rpartition("@")
    host, slash, _ = before.partition("/")
    if slash and host.partition(":")[2].isdigit() == (":" in host):
        return ""  # the @ is one of the path
    return before if at else ""


def _verb(words: tuple[str, ...]) -> str:
    return next((word for word in words if word[0] != "-" and "=" not in word), "")
