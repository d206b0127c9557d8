"""The history on a real cluster: applies, one that was killed, and what is kept of them."""

from __future__ import annotations

import pytest

from osform.core.events import Event
from osform.core.history import Run
from osform.flows.recording import find, history
from osform.flows.stack import Stack
from tests.live.stacks import Files

PIPELINE = "description: d\nprocessors: [{set: {field: a, value: b}}]\n"


def runs(files: Files) -> list[Run]:
    return list(history(files.cluster, files.name, "default", 20))


def test_each_apply_is_a_run_newest_first(files: Files) -> None:
    files.write("ingest_pipeline/NAME", PIPELINE)
    files.apply()
    files.edit("ingest_pipeline/NAME", "value: b", "value: c")
    files.apply()
    assert [(run.command, run.status, dict(run.counts)) for run in runs(files)] == [
        ("apply", "done", {"update": 1}),
        ("apply", "done", {"create": 1}),
    ]
    (change,) = find(files.cluster, "last", files.name, "default").changes
    (difference,) = change["differences"]
    assert (difference["before"], difference["after"]) == ("b", "c")


def test_a_run_that_is_stopped_midway_says_so(files: Files) -> None:
    files.write("ingest_pipeline/NAME", PIPELINE)

    def stop(event: Event) -> None:
        if type(event).__name__ == "Changed":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.apply(stop)
    assert [run.status for run in runs(files)] == ["stopped"]


def test_runs_older_than_the_stack_wants_are_gone(files: Files) -> None:
    files.write("stack", "name: NAME\nhistory: 0s\n")
    files.write("ingest_pipeline/NAME", PIPELINE)
    files.apply()
    files.edit("ingest_pipeline/NAME", "value: b", "value: c")
    Stack.load(files.root, environ={}).apply(files.cluster)
    assert len(runs(files)) <= 1
