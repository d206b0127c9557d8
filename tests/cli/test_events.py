"""The event log: a line an event, for programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from osform.cli.events import event_log, line
from osform.core.events import Changed, Note
from osform.errors import InputError

NOW = datetime(2026, 5, 4, 8, 15, 30, 123456, UTC)
DONE = Changed("index/images", "create", "done", 0.31)


def test_an_event_is_one_line_with_its_time_its_name_and_its_fields() -> None:
    assert json.loads(line(DONE, NOW)) == {
        "time": "2026-05-04T08:15:30.123+00:00", "event": "changed", "address": "index/images", "action": "create",
        "status": "done", "seconds": 0.31, "message": "",
    }  # fmt: skip
    assert "\n" not in line(Note("two\nlines"), NOW)


def test_a_file_of_events_is_appended_to_and_each_line_is_there_at_once(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("earlier\n")
    with event_log("text", path) as report:
        report(DONE)
        assert path.read_text().count("\n") == 2


def test_with_json_the_events_are_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with event_log("json", None) as report:
        report(Note("deploying"))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert json.loads(shown.err)["text"] == "deploying"


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--events"), event_log("text", tmp_path / "no" / "events.jsonl"):
        pass
