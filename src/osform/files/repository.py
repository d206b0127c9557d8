"""A Git repository followed from afar: a mirror of its refs, and a folder with the files of each commit in use.

The mirror is a cache, and belongs to one process at a time. A commit's files are written into a folder of another name
first, so a folder that has the commit's name has all of it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import shutil
import signal
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from osform.core.watching import Approval
from osform.errors import CommitRefused, InputError, RepositoryError

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}
# Nothing of a repository is ever run: no hooks, no file system monitor.
_SAFE = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.autoDetach=false")
_SSH = "ssh -o BatchMode=yes -o ConnectTimeout=20"


@dataclass
class Repository:
    """One remote repository; ``seconds`` is how long one Git command may take. ``commands`` counts them."""

    url: str
    folder: Path
    environ: Mapping[str, str]
    seconds: float = 120.0
    commands: int = 0
    _seen: str = ""
    _lock: IO[str] | None = field(default=None, repr=False)

    def open(self) -> None:
        """Take the folder for this process, or one beside it where another process has it; clear what a kill left."""
        if self.url.startswith("-"):
            raise InputError(f"repository {self.url}: no URL and no path of a repository")
        base = self.folder / hashlib.sha256(self.url.encode()).hexdigest()[:16]
        for number in range(10):
            folder = base.with_name(f"{base.name}-{number}")
            folder.mkdir(parents=True, exist_ok=True)
            lock = (folder / "lock").open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                continue
            self._lock, self.folder = lock, folder
            break
        else:
            raise InputError(f"{base}: ten processes follow this repository from here already")
        for left in self.folder.glob("trees/*.part"):
            shutil.rmtree(left, ignore_errors=True)
        for left in self._mirror.rglob("*.lock"):
            left.unlink(missing_ok=True)
        if not (self._mirror / "HEAD").is_file():
            self._begin()

    def close(self) -> None:
        """Let another process have the folder."""
        if self._lock is not None:
            self._lock.close()

    def _begin(self) -> None:
        shutil.rmtree(self._mirror, ignore_errors=True)
        self._mirror.mkdir(parents=True)
        self._seen = ""
        self._git("init", "--quiet", "--bare", str(self._mirror), bare=False)

    @property
    def _mirror(self) -> Path:
        return self.folder / "mirror.git"

    def fetch(self) -> None:
        """Bring the mirror's refs up to date; those that are gone go. Raises RepositoryError."""
        refs = ("heads", "tags", "notes")
        words = [f"+refs/{each}/*:refs/{each}/*" for each in refs]
        there = self._git("ls-remote", "--quiet", "--", self.url, *(f"refs/{each}/*" for each in refs))
        if there and there == self._seen:
            return
        try:
            self._git("fetch", "--quiet", "--prune", "--force", "--no-tags", "--", self.url, *words)
        except RepositoryError as error:
            if ".lock" in error.message or "corrupt" in error.message or "not a git repository" in error.message:
                self._begin()  # a cache that a kill has spoiled; what is asked next comes whole
            raise
        self._seen = there

    def resolve(self, ref: str) -> str:
        """The commit of a branch, or the newest of the tags that a pattern ``tags/v*`` names."""
        if ref.startswith(("tags/", "refs/tags/")):
            pattern = "refs/tags/" + ref.partition("tags/")[2]
            listed = self._git(
                "for-each-ref", "--sort=-version:refname", "--count=1", "--format=%(refname)", "--", pattern
            )
            if not listed:
                raise RepositoryError(f"{self.shown}: no tag like {pattern}")
            ref = listed
        else:
            ref = "refs/heads/" + ref.removeprefix("refs/heads/")
        try:
            commit = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        except RepositoryError as error:
            hint = "ref: names a branch, or tags by tags/v*"
            raise RepositoryError(f"{self.shown}: there is no {ref}", hint=hint) from error
        return commit

    def files(self, commit: str) -> Path:
        """The folder with the files of a commit, made where it is not there yet. Raises CommitRefused."""
        folder = self.folder / "trees" / commit
        if folder.is_dir():
            return folder
        part = folder.with_name(f"{commit}.{secrets.token_hex(4)}.part")
        part.mkdir(parents=True)
        index = {"GIT_INDEX_FILE": str(part.with_suffix(".index")), "GIT_WORK_TREE": str(part)}
        try:
            self._git("read-tree", commit, more=index)
            self._git("checkout-index", "--all", "--quiet", f"--prefix={part}/", more=index)
            self._refuse_links(part, commit)
            part.rename(folder)
        finally:
            part.with_suffix(".index").unlink(missing_ok=True)
            shutil.rmtree(part, ignore_errors=True)
        return folder

    def _refuse_links(self, part: Path, commit: str) -> None:
        inside = part.resolve()
        for path in part.rglob("*"):
            if path.is_symlink() and not path.resolve().is_relative_to(inside):
                name = path.relative_to(part)
                raise CommitRefused(f"{commit[:10]}: {name} is a link out of the repository", hint="take it out")

    def has(self, commit: str) -> bool:
        """Whether the mirror still has a commit."""
        try:
            self._git("cat-file", "-e", f"{commit}^{{commit}}")
        except RepositoryError:
            return False
        return bool(_COMMIT.fullmatch(commit))

    def keep(self, name: str, commit: str) -> None:
        """Let no clean-up of the mirror take a commit away, although no branch has it any more."""
        self._git("update-ref", f"refs/osform/{hashlib.sha256(name.encode()).hexdigest()[:16]}", commit)

    def clear(self, but: Collection[str]) -> None:
        """Remove the files of commits that are no longer in use."""
        for folder in (self.folder / "trees").glob("*"):
            if folder.name not in but:
                shutil.rmtree(folder, ignore_errors=True)

    def verify(self, commit: str, signers: str) -> None:
        """Raise CommitRefused unless a commit has a good signature of somebody who is trusted."""
        try:
            self._git(*_trusting(signers), "verify-commit", commit)
        except RepositoryError as error:
            hint = "sign it: git commit -S; whose keys count is said by signers:, or by GnuPG's keyring"
            raise CommitRefused(f"{commit[:10]} has no good signature: {_last(error.message)}", hint=hint) from error

    def approved(self, head: str, approval: Approval, signers: str) -> str | None:
        """The newest commit of the history of ``head`` that is approved, or None."""
        marked = {**self._tagged(approval, signers), **self._noted(approval, signers)}
        if not marked:
            return None
        history = self._git("rev-list", "--max-count=1000", head).split()
        return next((commit for commit in history if commit in marked), None)

    def _tagged(self, approval: Approval, signers: str) -> dict[str, str]:
        if not approval.tags:
            return {}
        form = "--format=%(refname) %(objectname) %(*objectname)"
        listed = self._git("for-each-ref", form, "--", f"refs/tags/{approval.tags}")
        found: dict[str, str] = {}
        for line in filter(None, listed.split("\n")):
            name, named, *peeled = line.split()
            if approval.signed and not self._is_good("verify-tag", name, signers):
                continue
            found[peeled[0] if peeled else named] = name
        return found

    def _noted(self, approval: Approval, signers: str) -> dict[str, str]:
        ref = f"refs/notes/{approval.notes}"
        if not approval.notes or (approval.signed and not self._is_good("verify-commit", ref, signers)):
            return {}
        try:
            listed = self._git("notes", f"--ref={approval.notes}", "list")
        except RepositoryError:
            return {}
        marked = [line.split()[1] for line in listed.split("\n") if len(line.split()) == 2]
        words = {each: self._git("notes", f"--ref={approval.notes}", "show", each) for each in marked}
        return {each: text for each, text in words.items() if text.split() and text.split()[0].rstrip(":") == "approve"}

    def _is_good(self, verb: str, name: str, signers: str) -> bool:
        try:
            self._git(*_trusting(signers), verb, name)
        except RepositoryError:
            return False
        return True

    @property
    def shown(self) -> str:
        """The URL without a password in it."""
        return re.sub(r"//[^/@]*@", "//", self.url)

    def _git(self, *words: str, more: Mapping[str, str] | None = None, bare: bool = True) -> str:
        self.commands += 1
        where = ("--git-dir", str(self._mirror)) if bare else ()
        environ = {"GIT_SSH_COMMAND": _SSH, **self.environ, **_QUIET, **(more or {})}
        for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
            if name not in (more or {}):
                environ.pop(name, None)
        try:
            process = subprocess.Popen(
                ["git", *_SAFE, *where, *words], env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            message = f"git can't be run: {error.strerror or error}"
            raise RepositoryError(message, hint="osform watch needs the command git") from error
        try:
            out, err = process.communicate(timeout=self.seconds)
        except subprocess.TimeoutExpired as error:
            raise RepositoryError(f"{self.shown}: git {_verb(words)} took longer than {self.seconds:.0f} s") from error
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # what it started, ssh for one, goes with it
                process.communicate()
        if process.returncode != 0:
            said = re.sub(r"//[^/@\s]*@", "//", err.strip()) or f"exit status {process.returncode}"
            raise RepositoryError(f"{self.shown}: git {_verb(words)}: {said}")
        return out.strip()


def _verb(words: tuple[str, ...]) -> str:
    return next((word for word in words if word[0] != "-" and "=" not in word), "")


def _trusting(signers: str) -> tuple[str, ...]:
    return ("-c", f"gpg.ssh.allowedSignersFile={signers}") if signers else ()


def _last(text: str) -> str:
    return text.strip().split("\n")[-1]
