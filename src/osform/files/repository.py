"""A Git repository followed from afar: a mirror of its refs, and a folder with the files of each commit in use.

The mirror is a cache, and belongs to one process at a time. A commit's files are written into a folder of another name
first, so a folder that has the commit's name has all of it.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import secrets
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from osform.core.watching import Approval
from osform.errors import CommitRefused, InputError, RepositoryError
from osform.files.running_git import Git

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REFS = ("heads", "tags", "notes")
_CLEANING = 600.0  # seconds that a look through all of the mirror may take
# What is wrong with the way there, and says nothing of the mirror.
_OUTSIDE = re.compile(
    "No space left|unable to access|Could not read from remote|hung up|early EOF|took longer|said nothing|did not end|"
    "RPC failed|Could not resolve|can't be run|index-pack failed"
)


@dataclass
class Repository:
    """One remote repository; ``seconds`` is how long one Git command may take, and a fetch may say nothing.

    ``beat`` is called every few seconds while one runs.
    """

    url: str
    folder: Path
    environ: Mapping[str, str]
    seconds: float = 120.0
    beat: Callable[[], None] = lambda: None
    _seen: str = ""
    _lock: IO[str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._git = Git(self.url, self._mirror, self.environ, self.seconds, lambda: self.beat())

    def open(self) -> None:
        """Take the folder for this process, or one beside it where another process has it; clear what a kill left."""
        if self.url.startswith("-"):
            raise InputError(f"repository {self.shown}: no URL and no path of a repository")
        try:
            self._take()
            self._sweep()
            if not (self._mirror / "HEAD").is_file():
                self._begin()
        except OSError as error:
            message = f"{self.folder}: {error.strerror or error}"
            raise InputError(message, hint="another folder for the mirror: --folder") from error

    def _take(self) -> None:
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
        # A Git command that outlives a kill of this process keeps the folder until it ends: nobody else meets it there.
        self._git = Git(self.url, self._mirror, self.environ, self.seconds, lambda: self.beat(), (lock.fileno(),))

    def _sweep(self) -> None:
        """Clear what commands that were killed left: half trees, locks, and packs, which may be large."""
        for left in self.folder.glob("trees/*.part"):
            shutil.rmtree(left, ignore_errors=True)
        for pattern in ("*.lock", "tmp_*", "gc.pid"):
            for left in self._mirror.rglob(pattern):
                if left.is_file():
                    left.unlink(missing_ok=True)

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
        words = [f"+refs/{each}/*:refs/{each}/*" for each in _REFS]
        there = self._git("ls-remote", "--quiet", "--", self.url, *(f"refs/{each}/*" for each in _REFS))
        if there and there == self._seen:
            return
        try:
            self._git.steadily("fetch", "--progress", "--prune", "--force", "--no-tags", "--", self.url, *words)
        except RepositoryError as error:
            self._sweep()
            self._mend(error)
            raise
        # A branch that went on between the two questions, and is put back later, would look as if nothing had happened.
        self._seen = there if self._has_all(there) else ""
        self._clean()

    def _has_all(self, listed: str) -> bool:
        """Whether the mirror's refs are those that ``ls-remote`` has listed."""
        form = "--format=%(objectname)%09%(refname)"
        here = self._git("for-each-ref", form, *(f"refs/{each}" for each in _REFS))
        return set(here.split("\n")) == {line for line in listed.split("\n") if not line.endswith("^{}")}

    def _clean(self) -> None:
        try:
            self._git("gc", "--auto", "--quiet", longest=_CLEANING)
        except RepositoryError:
            self._sweep()  # it saves room, and nothing else depends on it

    def _mend(self, error: RepositoryError) -> None:
        """Begin the mirror anew where it is the one at fault: a disk or a kill has spoiled it, and it is a cache."""
        self._seen = ""
        if _OUTSIDE.search(error.message):
            return
        try:
            self._git("fsck", "--no-dangling", "--no-progress", longest=_CLEANING)
        except RepositoryError as spoiled:
            if not _OUTSIDE.search(spoiled.message):
                self._begin()

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
            self._seen = ""
            if self._is_there(ref):
                self._mend(error)
            hint = "ref: names a branch, or tags by tags/v*"
            raise RepositoryError(f"{self.shown}: there is no {ref}", hint=hint) from error
        return commit

    def files(self, commit: str) -> Path:
        """The folder with the files of a commit, made where it is not there yet. Raises CommitRefused."""
        folder = self.folder / "trees" / commit
        if folder.is_dir():
            return folder
        part = folder.with_name(f"{commit}.{secrets.token_hex(4)}.part")
        try:
            part.mkdir(parents=True)
            self._write(commit, part)
            part.rename(folder)
        except OSError as error:
            raise RepositoryError(f"{folder}: {error.strerror or error}") from error
        finally:
            part.with_suffix(".index").unlink(missing_ok=True)
            shutil.rmtree(part, ignore_errors=True)
        return folder

    def _write(self, commit: str, part: Path) -> None:
        index = {"GIT_INDEX_FILE": str(part.with_suffix(".index")), "GIT_WORK_TREE": str(part)}
        try:
            self._git("read-tree", commit, more=index)
            self._git("checkout-index", "--all", "--quiet", f"--prefix={part}/", more=index)
        except RepositoryError as error:
            self._mend(error)
            raise
        inside = part.resolve()
        for path in part.rglob("*"):
            if path.is_symlink() and not _is_inside(path, inside):
                name = path.relative_to(part)
                raise CommitRefused(f"{commit[:10]}: {name} is a link out of the repository", hint="take it out")

    def has(self, commit: str) -> bool:
        """Whether the mirror still has a commit."""
        try:
            self._git("cat-file", "-e", f"{commit}^{{commit}}")
        except RepositoryError:
            return False
        return bool(_COMMIT.fullmatch(commit))

    def _is_there(self, ref: str) -> bool:
        try:
            self._git("show-ref", "--verify", "--quiet", ref)
        except RepositoryError:
            return False
        return True

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
        tags, notes = self._tagged(approval), self._noted(approval)
        if not tags and not notes:
            return None
        for commit in self._git("rev-list", "--max-count=1000", head).split():
            if any(self._is_good(approval, "verify-tag", tag, signers) for tag in tags.get(commit, ())):
                return commit
            if commit in notes and self._says_so(approval, commit, notes[commit], signers):
                return commit
        return None

    def _tagged(self, approval: Approval) -> dict[str, list[str]]:
        """Tags of the pattern, by commit.

        Where they are to be signed, only those with the name that was signed: whoever may push can give another name,
        that of an approval for production say, to a tag that approved something else.
        """
        if not approval.tags:
            return {}
        form = "--format=%(objectname)%09%(*objectname)%09%(tag)%09%(refname)"
        listed = self._git("for-each-ref", form, "--", f"refs/tags/{approval.tags}")
        found: dict[str, list[str]] = {}
        for line in filter(None, listed.split("\n")):
            named, peeled, own, name = line.split("\t")
            if name == f"refs/tags/{own}" or not approval.signed:
                found.setdefault(peeled or named, []).append(name)
        return found

    def _noted(self, approval: Approval) -> dict[str, str]:
        """Paths of the notes, by the commit that they are on."""
        if not approval.notes:
            return {}
        try:
            listed = self._git("ls-tree", "-r", "--name-only", f"refs/notes/{approval.notes}")
        except RepositoryError:
            return {}
        return {path.replace("/", ""): path for path in listed.split("\n") if path}

    def _says_so(self, approval: Approval, commit: str, path: str, signers: str) -> bool:
        """Whether a note approves, and whoever wrote it last has signed that.

        What is signed is the note's text and not its ref, so the text names the ref: whoever may push could call the
        notes of staging those of production.
        """
        ref = f"refs/notes/{approval.notes}"
        words = [word.rstrip(":") for word in self._git("cat-file", "blob", f"{ref}:{path}").split()]
        asked = ["approve", approval.notes] if approval.signed else ["approve"]
        if words[: len(asked)] != asked:
            return False
        written = self._git("log", "-1", "--format=%H", ref, "--", path)
        return self._is_good(approval, "verify-commit", written, signers)

    def _is_good(self, approval: Approval, verb: str, name: str, signers: str) -> bool:
        if not approval.signed:
            return True
        try:
            self._git(*_trusting(signers), verb, name)
        except RepositoryError:
            return False
        return True

    @property
    def commands(self) -> int:
        """How many Git commands were run."""
        return self._git.commands

    @property
    def shown(self) -> str:
        """The URL without a password in it."""
        return self._git.shown


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether a link ends inside of a folder; one that leads to itself does not."""
    try:
        return path.resolve().is_relative_to(folder)
    except (OSError, RuntimeError):
        return False


def _trusting(signers: str) -> tuple[str, ...]:
    """Whose signatures are good: of the file's SSH keys and nobody else, or without it of GnuPG's keyring."""
    if not signers:
        return ()
    return "-c", f"gpg.ssh.allowedSignersFile={signers}", "-c", "gpg.program=false", "-c", "gpg.x509.program=false"


def _last(text: str) -> str:
    return text.strip().split("\n")[-1]
