"""A plan of 500 resources, 100 in the ordinary run: few requests, and little time beside the cluster's own."""

from __future__ import annotations

import os
import resource
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.live.stacks import Project
from tests.proxy import Proxy

PIPELINE = (
    "description: number {n}\n"
    "processors:\n"
    "- set: {{field: a, value: '{n}'}}\n"
    "- set: {{field: k, value: '${{env.KEY_{m}}}'}}\n"
)
FILES = {
    "ingest_pipeline": (150, PIPELINE),
    "search_pipeline": (150, "request_processors:\n- filter_query: {{query: {{term: {{a: '{n}'}}}}}}\n"),
    "component_template": (90, "template:\n  mappings: {{properties: {{f{n}: {{type: keyword}}}}}}\n"),
    "index_template": (40, "index_patterns: ['{name}-{n}-*']\ncomposed_of: ['{name}-{n}']\npriority: {n}\n"),
    "index": (1, "mappings: {{properties: {{a: {{type: keyword}}}}}}\n"),
    "alias": (69, "indices:\n- {{index: '${{index/{name}-0.name}}', filter: {{term: {{a: '{n}'}}}}}}\n"),
}
MANY = {kind: many for kind, (many, _) in FILES.items()}
HUNDRED = {kind: -(-many // 5) for kind, many in MANY.items()} | {"alias": 13}
assert (sum(MANY.values()), sum(HUNDRED.values())) == (500, 100)
MOST_REQUESTS = 15
MOST_SECONDS = 3.0
MOST_TO_MAKE_A_HUNDRED = 10.0


def lay_out_large(root: Path, url: str, numbers: Mapping[str, int]) -> Project:
    """The files of so many resources of each kind."""
    # Started as a user does: what a process takes to begin counts as well, and of a fork nobody would hear.
    project = Project(root, url, f"t{uuid.uuid4().hex[:8]}", forked=False)
    project.environ |= {f"KEY_{m}": f"secret-{m}" for m in range(3)}
    project.path("stack").parent.mkdir()
    project.path("stack").write_text(f"name: {project.name}\n")
    for kind, many in numbers.items():
        for n in range(many):
            tail = "-alias" if kind == "alias" else ""
            path = project.path(f"{kind}/NAME-{n}{tail}")
            path.parent.mkdir(exist_ok=True)
            path.write_text(FILES[kind][1].format(n=n, m=n % 3, name=project.name))
    return project


@pytest.fixture(
    scope="module", params=[pytest.param(HUNDRED, id="100"), pytest.param(MANY, id="500", marks=pytest.mark.soak)]
)
def project(
    live_url: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Project]:
    """Hundreds of resources on the cluster, and an apply that took note of them."""
    project = lay_out_large(tmp_path_factory.mktemp("large"), live_url, request.param)
    applied = project.apply("--format", "json")
    assert applied.status == 0, applied.err[-3000:]
    yield project
    assert project.take_away().status == 0


def test_an_unchanged_plan_of_hundreds_of_resources_is_few_requests_and_quick(project: Project) -> None:
    with Proxy(project.url) as proxy:
        before, started = _processor(), time.monotonic()
        ran = project.run("plan", "--detailed-exitcode", url=proxy.url)
        took, used = time.monotonic() - started, _processor() - before
    assert ran.status == 0, ran.out + ran.err
    assert len(proxy.requests) <= MOST_REQUESTS, [each.path for each in proxy.requests]
    # What else runs on this machine is not the plan's doing: the clock counts where it leaves processors free.
    counted = (used,) if _busy() else (used, took)
    assert used > 0
    assert max(counted) < MOST_SECONDS, f"{used:.1f} s of the processor, {took:.1f} s by the clock"


def test_one_edit_among_hundreds_is_one_change_in_as_few_requests(project: Project) -> None:
    project.edit("search_pipeline/NAME-7", "a: '7'", "a: 'seven'")
    try:
        with Proxy(project.url) as proxy:
            plan = project.run("plan", "--format", "json", url=proxy.url)
    finally:
        project.edit("search_pipeline/NAME-7", "a: 'seven'", "a: '7'")
    assert [change["address"] for change in plan.json["changes"]] == [f"search_pipeline/{project.name}-7"]
    assert len(proxy.requests) <= MOST_REQUESTS


@pytest.mark.soak
def test_a_hundred_resources_are_made_in_under_ten_seconds(live_url: str, tmp_path: Path) -> None:
    if _busy():
        pytest.skip("other programs keep this machine busy: the clock would tell of them")
    project = lay_out_large(tmp_path, live_url, HUNDRED)
    started = time.monotonic()
    ran = project.apply()
    took = time.monotonic() - started
    assert project.take_away().status == 0
    assert ran.status == 0, ran.err
    assert took < MOST_TO_MAKE_A_HUNDRED


def _processor() -> float:
    """Seconds of the processor that the commands have taken by now."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _busy() -> bool:
    """Whether others take processors of this machine."""
    return os.getloadavg()[0] > (os.cpu_count() or 1) / 2
