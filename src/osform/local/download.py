"""Artifacts fetched into the user's Maven cache: taken up where an earlier try stopped, and believed for their hash."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from osform.core.events import Advanced, Begun, Ended, Note, Report
from osform.errors import LocalClusterError, MissingExtra
from osform.local.artifacts import Artifact

BLOCK = 1 << 20
PIECE = 1 << 16
"""As much as a broken connection loses at most."""


@dataclass(frozen=True)
class Maven:
    """The user's Maven cache, and the repositories (name to URL) that are asked in turn."""

    cache: Path
    repositories: Mapping[str, str]

    @classmethod
    def of_user(cls) -> Maven:
        """As jgo is configured for this user, so that a company's mirror is asked before Maven Central.

        Raises MissingExtra where jgo is not installed.
        """
        try:
            from jgo.config import GlobalSettings
            from jgo.maven import MavenContext
        except ImportError as error:
            raise MissingExtra("local", "osform cluster", error) from error
        settings = GlobalSettings.load()
        central = MavenContext().remote_repos
        return cls(Path(settings.repo_cache), {**settings.repositories, **central})

    def path(self, artifact: Artifact) -> Path:
        """Where the file lies in the cache, or would."""
        return self.cache / self._folder(artifact) / artifact.filename

    def partial(self, artifact: Artifact) -> Path:
        """Where a download grows. Never under the final name: Maven and jgo would take half a file for a whole one."""
        return self.path(artifact).with_name(f".{artifact.filename}.osform-part")

    def urls(self, artifact: Artifact) -> list[str]:
        return [
            f"{url.rstrip('/')}/{self._folder(artifact).as_posix()}/{artifact.filename}"
            for url in self.repositories.values()
        ]

    @staticmethod
    def _folder(artifact: Artifact) -> Path:
        return Path(*artifact.group.split("."), artifact.name, artifact.version)


def missing_bytes(maven: Maven, artifacts: tuple[Artifact, ...]) -> int:
    """How much is still to be downloaded, going by sizes."""
    total = 0
    for artifact in artifacts:
        if not maven.path(artifact).exists():
            part = maven.partial(artifact)
            total += artifact.size - (part.stat().st_size if part.exists() else 0)
    return total


def fetch(artifact: Artifact, maven: Maven, report: Report, *, tries: int = 3, timeout: float = 60.0) -> Path:
    """The artifact's file, downloaded unless the cache has it, and its SHA-256 checked either way.

    A connection that breaks is tried again from the byte that was reached, ``tries`` times in all.
    Raises LocalClusterError where nobody has the file, the network fails, or the hash is another one.
    """
    path = maven.path(artifact)
    if path.exists():
        if _sha256(path, artifact, report) == artifact.sha256:
            return path
        report(Note(f"{path} is not what it should be (damaged, or cut off); downloading it again"))
        path.unlink()
    part = maven.partial(artifact)
    part.parent.mkdir(parents=True, exist_ok=True)
    _download(artifact, maven, part, report, tries, timeout)
    found = _sha256(part, artifact, report)
    if found != artifact.sha256:
        part.unlink()
        raise LocalClusterError(
            f"{artifact} has SHA-256 {found}, but osform expects {artifact.sha256}",
            hint="the download was removed; run it again, and if it stays so, do not trust where it comes from",
        )
    part.replace(path)
    return path


def _sha256(path: Path, artifact: Artifact, report: Report) -> str:
    task = f"checking {artifact.filename}"
    report(Begun(task, path.stat().st_size, "bytes"))
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
            done += len(block)
            report(Advanced(task, done, artifact.size))
    report(Ended(task))
    return digest.hexdigest()


def _download(artifact: Artifact, maven: Maven, part: Path, report: Report, tries: int, timeout: float) -> None:
    """Fill ``part`` from the first repository that has the file."""
    import requests

    task = f"downloading {artifact.filename}"
    report(Begun(task, artifact.size, "bytes"))
    try:
        for attempt in range(1, tries + 1):
            try:
                if any(_stream(url, artifact, part, task, report, timeout) for url in maven.urls(artifact)):
                    return
            except (requests.RequestException, OSError) as error:
                if attempt == tries:
                    raise LocalClusterError(
                        f"downloading {artifact} failed after {_size(part)} of {artifact.size} bytes: {error}",
                        hint="osform cluster up goes on from there; behind a proxy set HTTPS_PROXY, "
                        "for a mirror name it as a repository in ~/.config/jgo.conf",
                    ) from error
            else:
                raise LocalClusterError(
                    f"no repository has {artifact}", hint=f"asked: {', '.join(maven.repositories) or 'none'}"
                )
    finally:
        report(Ended(task))


def _stream(url: str, artifact: Artifact, part: Path, task: str, report: Report, timeout: float) -> bool:
    """Append what is missing of the file. False where this repository does not have it."""
    have = _size(part)
    if have >= artifact.size:  # whole, or too long: the hash decides
        return True
    response = _get(url, have, timeout)
    with response:
        if response.status_code == 404:
            return False
        if have and response.status_code != 206:  # a server that knows no ranges, or says that ours is none
            part.unlink()
            if response.status_code == 416:
                return _stream(url, artifact, part, task, report, timeout)
            have = 0
        response.raise_for_status()
        with part.open("ab") as stream:
            for block in response.iter_content(PIECE):
                stream.write(block)
                have += len(block)
                report(Advanced(task, have, artifact.size))
            stream.flush()
            os.fsync(stream.fileno())
    if have < artifact.size:
        raise ConnectionError(f"the connection ended after {have} of {artifact.size} bytes")
    return True


def _get(url: str, start: int, timeout: float) -> Any:
    from jgo.util import http

    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    return http.get(url, stream=True, timeout=timeout, headers=headers)


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
