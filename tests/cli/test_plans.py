"""Plans as text: what a person reads before saying yes."""

from __future__ import annotations

import click
import pytest

from osform.cli.plans import show
from osform.core.address import Address
from osform.core.diff import ABSENT, Difference
from osform.core.plan import Change, Create, Delete, Plan, Update
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
    assert (added, gone) == ("    version: (nothing) -> 2", "    description: old -> (nothing)")


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
