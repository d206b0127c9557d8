"""Downloads, from a repository that the test itself serves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from osform.core.events import Advanced, Event, silent
from osform.errors import LocalClusterError
from osform.local.artifacts import Artifact
from osform.local.download import PIECE, Maven, fetch, missing_bytes
from tests.serving import Quiet, listening

CONTENT = bytes(range(256)) * 20_000
ARTIFACT = Artifact("org.example", "thing", "1.0", "zip", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


@dataclass
class Repository:
    """A Maven repository with one file; it may break connections after some bytes, or know no ranges."""

    content: bytes = CONTENT
    break_after: list[int] = field(default_factory=list)
    ranges: bool = True
    asked: list[str | None] = field(default_factory=list)
    url: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        if not request.path.endswith("/org/example/thing/1.0/thing-1.0.zip"):
            request.send_error(404)
            return
        wanted = request.headers["Range"]
        self.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(self.content) - start))
        request.end_headers()
        stop = start + self.break_after.pop(0) if self.break_after else len(self.content)
        request.wfile.write(self.content[start:stop])


@pytest.fixture(name="repository")
def a_repository() -> Iterator[Repository]:
    repository = Repository()

    class Handler(Quiet):
        def do_GET(self) -> None:
            repository.answer(self)

    with listening(Handler) as repository.url:
        yield repository


@pytest.fixture(name="maven")
def a_maven_cache(tmp_path: Path, repository: Repository) -> Maven:
    return Maven(tmp_path, {"here": repository.url})


def test_a_file_is_fetched_once(maven: Maven, repository: Repository) -> None:
    assert fetch(ARTIFACT, maven, silent).read_bytes() == CONTENT
    assert fetch(ARTIFACT, maven, silent) == maven.cache / "org/example/thing/1.0/thing-1.0.zip"
    assert repository.asked == [None]


def test_a_broken_connection_is_taken_up_at_the_byte_that_was_reached(maven: Maven, repository: Repository) -> None:
    repository.break_after = [PIECE * 10, PIECE * 20]
    assert fetch(ARTIFACT, maven, silent).read_bytes() == CONTENT
    assert repository.asked == [None, f"bytes={PIECE * 10}-", f"bytes={PIECE * 30}-"]


def test_a_download_that_was_killed_is_taken_up_by_the_next_run(maven: Maven, repository: Repository) -> None:
    part = maven.partial(ARTIFACT)
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:4_000_000])
    assert missing_bytes(maven, (ARTIFACT,)) == len(CONTENT) - 4_000_000
    assert fetch(ARTIFACT, maven, silent).read_bytes() == CONTENT
    assert repository.asked == ["bytes=4000000-"]


def test_a_repository_without_ranges_is_asked_for_the_whole(maven: Maven, repository: Repository) -> None:
    repository.ranges = False
    part = maven.partial(ARTIFACT)
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half")
    assert fetch(ARTIFACT, maven, silent).read_bytes() == CONTENT


def test_what_was_reached_is_kept_when_the_network_stays_away(maven: Maven, repository: Repository) -> None:
    repository.break_after = [PIECE, PIECE, PIECE]
    with pytest.raises(LocalClusterError, match="failed after 196608 of 5120000 bytes") as caught:
        fetch(ARTIFACT, maven, silent)
    assert "goes on from there" in str(caught.value.hint)
    assert maven.partial(ARTIFACT).stat().st_size == PIECE * 3
    assert not maven.path(ARTIFACT).exists()


def test_another_file_than_the_pinned_one_is_refused_and_removed(maven: Maven, repository: Repository) -> None:
    repository.content = CONTENT[::-1]
    with pytest.raises(LocalClusterError, match=f"osform expects {ARTIFACT.sha256}"):
        fetch(ARTIFACT, maven, silent)
    assert not any(path.is_file() for path in maven.cache.rglob("*"))


def test_a_damaged_file_in_the_cache_is_fetched_again(maven: Maven) -> None:
    path = maven.path(ARTIFACT)
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT[:-1])
    assert fetch(ARTIFACT, maven, silent).read_bytes() == CONTENT


def test_a_file_that_nobody_has_is_named(maven: Maven) -> None:
    with pytest.raises(LocalClusterError, match=r"no repository has org\.example:other:zip:1\.0"):
        fetch(replace(ARTIFACT, name="other"), maven, silent)


def test_the_next_repository_is_asked_where_one_lacks_the_file(maven: Maven, repository: Repository) -> None:
    both = Maven(maven.cache, {"mirror": repository.url + "/empty?", "central": repository.url})
    assert fetch(ARTIFACT, both, silent).exists()


def test_progress_is_reported_up_to_the_last_byte(maven: Maven) -> None:
    events: list[Event] = []
    fetch(ARTIFACT, maven, events.append)
    done = [event.done for event in events if isinstance(event, Advanced) and event.task.startswith("downloading")]
    assert done == sorted(done)
    assert done[-1] == len(CONTENT)
