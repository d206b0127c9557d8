"""Plans as text: what a person reads before saying yes."""

from __future__ import annotations

from dataclasses import replace

import click
import pytest

from osform.cli.plans import show
from osform.core.address import Address
from osform.core.diff import ABSENT, Difference
from osform.core.plan import Change, Create, Delete, Effect, Estimate, Plan, Replace, Update
from osform.errors import Place

PIPELINE = Address("ingest_pipeline", "describe")
FILE = Place("provision/ingest_pipeline/describe.yaml")


def shown(change: Change, capsys: pytest.CaptureFixture[str]) -> list[str]:
    show(Plan("photos", "default", (change,)), "text")
    return click.unstyle(capsys.readouterr().out).splitlines()


def test_a_changed_value_has_its_place_before_and_after(capsys: pytest.CaptureFixture[str]) -> None:
    place = Place("templates/embed.yaml.j2", 8, used_by=FILE.file)
    change = Update(
        address=PIPELINE, reason="changed", differences=(Difference(("batch_size",), 16, 8, place),), place=FILE
    )
    head, line, _ = shown(change, capsys)
    assert head == f"~ ingest_pipeline/describe  update, changed  {FILE}"
    assert line == "    batch_size: 16 -> 8  (templates/embed.yaml.j2:8)"


def test_a_value_that_an_update_adds_or_takes_away_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    both = (Difference(("version",), ABSENT, 2), Difference(("description",), "old", ABSENT))
    _, added, gone, _ = shown(Update(address=PIPELINE, reason="changed", differences=both), capsys)
    assert (added, gone) == (
        "    version:     (nothing) -> 2",
        "    description: old       -> (nothing)",
    )


def test_a_new_resource_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    found = tuple(Difference((f"field{n}",), ABSENT, n) for n in range(20))
    assert len(shown(Create(address=PIPELINE, reason="new", differences=found), capsys)) == 22


def test_a_setting_that_somebody_made_already_is_shown_before_and_after(capsys: pytest.CaptureFixture[str]) -> None:
    found = (Difference(("persistent", "a.b"), "false", "true"),)
    _, line, _ = shown(Create(address=Address("cluster_settings", "ml"), reason="new", differences=found), capsys)
    assert line == '    persistent.a.b: "false" -> "true"'


def test_a_deletion_shows_the_beginning_of_what_goes(capsys: pytest.CaptureFixture[str]) -> None:
    found = tuple(Difference((f"field{n}",), n, ABSENT) for n in range(20))
    lines = shown(Delete(address=PIPELINE, reason="removed", differences=found), capsys)
    assert lines[0] == "- ingest_pipeline/describe  delete, removed"
    assert lines[1] == "    field0: 0"
    assert lines[-2] == "    and 14 more"


def test_long_values_are_cut_where_the_difference_can_be_seen(capsys: pytest.CaptureFixture[str]) -> None:
    old, new = ("x" * 300 + each + "y" * 300 for each in ("old", "new"))
    (_, line, _) = shown(update(Difference(("source",), old, new)), capsys)
    assert "old" in line
    assert "new" in line
    assert len(line) < 230


def test_what_a_terminal_would_obey_is_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    (_, line, _) = shown(update(Difference(("a\nb",), "\x1b[2J", "\u202efdp.exe\x9b")), capsys)
    assert line == r'    a\nb: "\u001b[2J" -> "\u202efdp.exe\u009b"'


def test_what_a_change_reaches_is_told_with_its_documents(capsys: pytest.CaptureFixture[str]) -> None:
    effect = Effect(Address("index", "images"), PIPELINE, 12000, ("vector",))
    change = replace(update(Difference(("processors",), 1, 2)), effects=(effect,))
    _, told, *_ = shown(change, capsys)
    assert (
        told == "    also reached: index/images uses ingest_pipeline/describe: 12,000 documents with vectors in vector"
    )
    entry = Plan("s", "e", (change,)).to_json()["changes"][0]["effects"]
    assert entry == [
        {"address": "index/images", "through": str(PIPELINE), "documents": 12000, "vectors": ["vector"]}
    ]  # fmt: skip


def update(*differences: Difference) -> Update:
    return Update(address=PIPELINE, reason="changed", differences=differences)


def test_what_a_copy_takes_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    change = Replace(
        address=Address("index", "images"), reason="dependency", estimate=Estimate(20_000, 61_200_000, 180)
    )
    lines = shown(change, capsys)
    assert "    20,000 documents to copy, about 3 min; about 61.2 MB more on disk meanwhile" in lines
    assert change.estimate is not None
    assert change.estimate.to_json() == {"documents": 20_000, "seconds": 180, "bytes": 61_200_000}


def test_on_a_terminal_each_action_has_its_colour(capsys: pytest.CaptureFixture[str]) -> None:
    with click.Context(click.Command("plan")) as context:
        context.color = True
        show(Plan("photos", "default", (Delete(address=PIPELINE, reason="removed"),)), "text")
    assert "\x1b[31m\x1b[1m- ingest_pipeline/describe" in capsys.readouterr().out
