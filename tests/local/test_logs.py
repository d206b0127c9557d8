"""What the logs say, and what to do about it."""

from __future__ import annotations

import itertools
from pathlib import Path

from osform.local.logs import follow, remedy, tail, why
from osform.local.places import NodePlace

TRACE = """\
[2026-01-01T00:00:00,000][INFO ][o.o.n.Node               ] [data] starting ...
[2026-01-01T00:00:01,000][ERROR][o.o.b.OpenSearchUncaughtExceptionHandler] [data] uncaught exception in thread [main]
org.opensearch.bootstrap.StartupException: BindHttpException[Failed to bind to 127.0.0.1:9200]
\tat org.opensearch.bootstrap.OpenSearch.init(OpenSearch.java:185)
\tat org.opensearch.bootstrap.OpenSearch.execute(OpenSearch.java:172)
Caused by: java.net.BindException: Address already in use
\t... 12 more
"""


def test_the_tail_is_the_last_lines(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("".join(f"line {number} {'x' * 100}\n" for number in range(5000)))
    assert [line.split()[1] for line in tail(file, 3)] == ["4997", "4998", "4999"]


def test_a_short_file_is_its_own_tail_and_no_file_has_none(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("one\ntwo")
    assert tail(tmp_path / "log", 10) == ["one", "two"]
    assert tail(tmp_path / "log", 0) == []
    assert tail(tmp_path / "nothing", 10) == []


def test_the_reason_is_told_without_its_stack(tmp_path: Path) -> None:
    place = NodePlace(tmp_path)
    place.logs.mkdir()
    place.log.write_text(TRACE)
    said = why(place)
    assert len(said) == 3
    assert said[-1] == "java.net.BindException: Address already in use"
    assert "--port" in str(remedy(said))


def test_a_quiet_log_is_told_as_it_ends(tmp_path: Path) -> None:
    place = NodePlace(tmp_path)
    place.console.write_text("one\ntwo\n")
    assert why(place) == ["one", "two"]
    assert remedy(["one", "two"]) is None


def test_following_gives_whole_lines_as_they_come(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("old\n")
    pieces = iter(["ne", "w\nnext\n", None])

    def sleep(_seconds: float) -> None:
        piece = next(pieces)
        if piece is None:
            file.write_text("anew\n")  # begun anew, as a log is that has become too long
        else:
            with file.open("a") as stream:
                stream.write(piece)

    lines = itertools.islice(follow({"data": file}, sleep=sleep), 3)
    assert list(lines) == [("data", "new"), ("data", "next"), ("data", "anew")]
