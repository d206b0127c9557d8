"""Random stacks, one after the other: whatever is asked is there afterwards, and the plan is empty every time."""

from __future__ import annotations

import json
import logging
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings

from osform.cluster.client import Cluster
from osform.files.writing import dump
from tests import tiny
from tests.live.foreign import Foreign
from tests.live.random_stacks import Drawn, Step, sequences
from tests.live.seeing import identity, stored, unlike, with_defaults
from tests.live.stacks import Files, Project, add_model

log = logging.getLogger(__name__)
LIVE = settings(
    deadline=None,
    database=None,
    print_blob=True,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
# Objects that are put whole: nothing is in them that wasn't asked.
WHOLE = ("ingest_pipeline", "search_pipeline", "component_template", "index_template", "stored_script")
REFERENCE = re.compile(r"\$\{[a-z_]+/")


@pytest.mark.timeout(300)
def test_a_few_random_stacks_end_as_they_were_asked(live_url: str, tmp_path: Path) -> None:
    @settings(LIVE, max_examples=2, derandomize=True)
    @given(sequences(3))
    def drawn(steps: list[Step]) -> None:
        one_after_the_other(live_url, tmp_path, steps)

    drawn()


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_two_hundred_random_stacks_end_as_they_were_asked(live_url: str, tmp_path: Path) -> None:
    @settings(LIVE, max_examples=60)
    @given(sequences(4))
    def drawn(steps: list[Step]) -> None:
        one_after_the_other(live_url, tmp_path, steps)

    drawn()


def one_after_the_other(url: str, tmp_path: Path, steps: list[Step]) -> None:
    """Apply each of these stacks over the one before, and nothing at the end."""
    cluster = Cluster(url)
    files = empty_project(url, tmp_path, cluster)
    foreign = Foreign.made(cluster, files.name)
    before: Drawn = {}
    try:
        for step in [*steps, Step({})]:
            started = time.monotonic()
            there = [identity(cluster, *called(files.name, old, before[old])) for old in step.moved]
            write(files, step)
            files.apply()
            plan = files.plan()
            assert plan.changes == (), [str(each) for change in plan.changes for each in change.differences]
            hold(cluster, files.name, before, step.drawn)
            moved = [identity(cluster, *called(files.name, new, step.drawn[new])) for new in step.moved.values()]
            assert moved == there, step.moved
            foreign.check()
            before = step.drawn
            log.info("%d resources, %d renamed: %.1f s", len(before), len(step.moved), time.monotonic() - started)
    finally:
        files.take_away()
        foreign.take_away()
        cluster.close()


def empty_project(url: str, tmp_path: Path, cluster: Cluster) -> Files:
    """An empty stack beside the tiny model's folder, in the place of the one before."""
    shutil.rmtree(tmp_path, ignore_errors=True)
    (tmp_path / "made").mkdir(parents=True)
    add_model(Project(tmp_path, url, ""), "tiny", tiny.build(tmp_path / "made"))
    return Files(tmp_path / "provision", cluster, cluster, {"KEY": "sesame", "OSFORM_CACHE": str(tmp_path / "cache")})


def write(files: Files, step: Step) -> None:
    """Lay the stack out as files, in the place of the one before."""
    shutil.rmtree(files.root, ignore_errors=True)
    files.write("stack", dump({"name": "NAME", "moved": dict(step.moved)}))
    note(f"=== {dict(step.moved) or ''}")
    for address, body in step.drawn.items():
        text = body if isinstance(body, str) else dump(body)
        note(f"--- {address}\n{text}")
        files.write(address, text)


def called(name: str, address: str, body: Any) -> tuple[str, str]:
    """The kind of a resource, and what the server calls it."""
    kind, _, own = address.replace("NAME", name).partition("/")
    return kind, str(body.get("name", own)).replace("NAME", name) if isinstance(body, dict) else name


def hold(cluster: Cluster, name: str, before: Drawn, asked: Drawn) -> None:
    """Every leaf of every file is on the cluster, nothing else is in what is put whole, and what is gone is gone."""
    wanted = {called(name, address, body): body for address, body in asked.items()}
    for kind, own in {**{called(name, address, body): body for address, body in before.items()}, **wanted}:
        if kind == "cluster_settings":
            continue
        address, found = f"{kind}/{own}", stored(cluster, kind, own)
        assert (found is not None) == ((kind, own) in wanted), f"{address}: {found}"
        if found is None or kind == "connector":
            continue
        body = json.loads(json.dumps(wanted[kind, own]).replace("NAME", name))
        found = with_defaults(cluster, own, found) if kind == "index" else found
        lacking, more = unlike(kind, found, body)
        assert {path: each for path, each in lacking.items() if not REFERENCE.search(str(each[0]))} == {}, address
        if kind in WHOLE:
            assert more == [], address
