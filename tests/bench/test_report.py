"""Tables as text and as JSON."""

from __future__ import annotations

import json

import pytest

from bench.harness import Sample, Series, Table
from bench.machine import Machine
from bench.report import as_json, as_text, figure

TABLE = Table(
    "ingest",
    "documents/s",
    "more",
    "peer",
    [
        Series("osform", [Sample(120.0, {"requests": 5}), Sample(90.0, {"requests": 5})]),
        Series("peer", [Sample(60.0), Sample(90.0)]),
        Series("naive", [None, None], ["ConnectionTimeout after 10 s", "ConnectionTimeout after 10 s"]),
    ],
    ["documents: 2"],
)


def test_a_line_an_arm_with_median_spread_ratio_and_its_range() -> None:
    lines = as_text(TABLE).splitlines()
    assert lines[0] == "ingest"
    assert lines[2].split() == ["osform", *["105", "97.5", "..", "112.5", "1.50", "1.00", "..", "2.00", "5", "2"]]


def test_an_arm_without_figures_has_dashes_and_its_reasons() -> None:
    text = as_text(TABLE)
    [line] = [line for line in text.splitlines() if line.startswith("  naive  ")]
    assert line.split() == ["naive", "-", "-", "-", "-", "-", "0", "of", "2"]
    assert "naive did not finish in 2 of 2 rounds: ConnectionTimeout after 10 s" in text


def test_notes_follow_the_table() -> None:
    assert "  documents: 2" in as_text(TABLE).splitlines()


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (1234.5, "1,234"), (98.76, "98.8"), (1.0, "1"), (0.15934, "0.1593"), (14, "14")],
)
def test_figures_have_the_digits_that_count(value: float | None, shown: str) -> None:
    assert figure(value) == shown


def test_json_has_every_round() -> None:
    machine = Machine("Linux", "a processor", 4, 0.1, {"python": "3.11"})
    found = json.loads(json.dumps(as_json(machine, {"ingest": [TABLE]}, {"load": {"before": 0.1}})))
    [table] = found["tracks"]["ingest"]
    assert table["arms"][0]["rounds"] == [120.0, 90.0]
    assert table["arms"][0]["speed"] == 1.5
    assert table["arms"][2]["median"] is None
    assert found["load"] == {"before": 0.1}
