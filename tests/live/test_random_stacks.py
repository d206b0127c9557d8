"""Random stacks, one after the other: whatever is asked is there afterwards, and the plan is empty every time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from osform.cluster.client import Cluster
from osform.cluster.retry import Patience, persist_if_there
from osform.core.request import Request
from osform.files.writing import dump
from tests.live.random_stacks import Drawn, stacks
from tests.live.stacks import Files

LIVE = settings(
    deadline=None,
    database=None,
    print_blob=True,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
# Where an object is read, and under which key of the answer its body stands.
READ = {
    "ingest_pipeline": ("/_ingest/pipeline/{}", "{}"),
    "search_pipeline": ("/_search/pipeline/{}", "{}"),
    "stored_script": ("/_scripts/{}", ""),
    "component_template": ("/_component_template/{}", "component_templates"),
    "index_template": ("/_index_template/{}", "index_templates"),
    "alias": ("/_alias/{}", ""),
}


@pytest.mark.timeout(300)
def test_a_few_random_stacks_end_as_they_were_asked(live_url: str, tmp_path: Path) -> None:
    @settings(LIVE, max_examples=2, derandomize=True)
    @given(st.lists(stacks(), min_size=2, max_size=2))
    def sequences(drawn: list[Drawn]) -> None:
        one_after_the_other(live_url, tmp_path, drawn)

    sequences()


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_two_hundred_random_stacks_end_as_they_were_asked(live_url: str, tmp_path: Path) -> None:
    @settings(LIVE, max_examples=60)
    @given(st.lists(stacks(), min_size=4, max_size=4))
    def sequences(drawn: list[Drawn]) -> None:
        one_after_the_other(live_url, tmp_path, drawn)

    sequences()


def one_after_the_other(url: str, tmp_path: Path, drawn: list[Drawn]) -> None:
    """Apply each of these stacks over the one before, and nothing at the end."""
    cluster = Cluster(url)
    shutil.rmtree(tmp_path / "provision", ignore_errors=True)
    files = Files(tmp_path / "provision", cluster, {"KEY": "sesame"})
    before: Drawn = {}
    try:
        for each in [*drawn, {}]:
            write(files, each)
            files.apply()
            plan = files.plan()
            assert plan.changes == (), [str(change) for change in plan.changes]
            hold(cluster, files.name, before, each)
            before = each
    finally:
        files.take_away()
        cluster.close()


def write(files: Files, drawn: Drawn) -> None:
    """Lay the stack out as files, in the place of the one before."""
    shutil.rmtree(files.root, ignore_errors=True)
    files.write("stack", "name: NAME\n")
    for address, body in drawn.items():
        text = body if isinstance(body, str) else dump(body)
        note(f"--- {address}\n{text}")
        files.write(address, text)


def hold(cluster: Cluster, name: str, before: Drawn, asked: Drawn) -> None:
    """What was asked can be read from the cluster, by kinds that are put whole; what is gone from the files is gone."""
    for address in {**before, **asked}:
        kind, _, own = address.replace("NAME", name).partition("/")
        if kind not in READ:
            continue
        path, key = READ[kind]
        found = persist_if_there(cluster, Request("GET", path.format(quote(own))), Patience.of(30))
        there = found is not None and found.get("found", True) is not False
        assert there == (address in asked), f"{address}: {found}"
        if there and kind in ("ingest_pipeline", "search_pipeline"):
            assert found is not None
            wanted = json.loads(json.dumps(asked[address]).replace("NAME", name).replace("$${", "${"))
            assert plain(found[key.format(own)]) == plain(wanted)


def plain(value: Any) -> Any:
    """A body without the difference between 1 and 1.0, which JSON doesn't know."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
