"""A plan of 500 resources: few requests, and little time beside what the cluster itself takes."""

from __future__ import annotations

import resource
import time
import uuid
from collections.abc import Iterator

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
MOST_REQUESTS = 15
MOST_SECONDS = 3.0


@pytest.fixture(scope="module")
def project(live_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """500 resources on the cluster, and an apply that took note of them."""
    project = Project(tmp_path_factory.mktemp("large"), live_url, f"t{uuid.uuid4().hex[:8]}")
    project.environ |= {f"KEY_{m}": f"secret-{m}" for m in range(3)}
    project.path("stack").parent.mkdir()
    project.path("stack").write_text(f"name: {project.name}\n")
    for kind, (many, text) in FILES.items():
        for n in range(many):
            tail = "-alias" if kind == "alias" else ""
            path = project.path(f"{kind}/NAME-{n}{tail}")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text.format(n=n, m=n % 3, name=project.name))
    applied = project.apply("--format", "json")
    assert applied.status == 0, applied.err[-3000:]
    yield project
    assert project.take_away().status == 0


def test_an_unchanged_plan_of_500_resources_is_few_requests_and_quick(project: Project) -> None:
    assert sum(many for many, _ in FILES.values()) == 500
    with Proxy(project.url) as proxy:
        before, started = _processor(), time.monotonic()
        ran = project.run("plan", "--detailed-exitcode", url=proxy.url)
        took, used = time.monotonic() - started, _processor() - before
    assert ran.status == 0, ran.out + ran.err
    assert len(proxy.requests) <= MOST_REQUESTS, [each.path for each in proxy.requests]
    # What else runs on this machine is not the plan's doing: the clock counts where the processor was free.
    assert used < MOST_SECONDS, f"{used:.1f} s of the processor, {took:.1f} s by the clock"


def test_one_edit_among_500_is_one_change_in_as_few_requests(project: Project) -> None:
    project.edit("search_pipeline/NAME-7", "a: '7'", "a: 'seven'")
    try:
        with Proxy(project.url) as proxy:
            plan = project.run("plan", "--format", "json", url=proxy.url)
    finally:
        project.edit("search_pipeline/NAME-7", "a: 'seven'", "a: '7'")
    assert [change["address"] for change in plan.json["changes"]] == [f"search_pipeline/{project.name}-7"]
    assert len(proxy.requests) <= MOST_REQUESTS


def _processor() -> float:
    """Seconds of the processor that the commands have taken by now."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
