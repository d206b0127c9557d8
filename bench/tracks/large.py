"""What it costs to find that nothing of 500 resources has changed, and to make 100.

The peer is a script that knows all their names and asks for each by its own (``read``), which is also how providers of
Terraform read; or makes each by its own. It compares nothing, and keeps no ledger.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml
from opensearchpy import OpenSearch

from bench.harness import Arm, Sample, Table
from bench.stage import Stage
from bench.tracks.base import Context
from bench.tracks.plan import Recording, asked, planned, replay, unchanged
from osform.cluster.client import Cluster
from osform.flows.stack import Stack

ABOUT = "an unchanged osform plan of 500 resources, and 100 made, against a script with a call for each"
NEEDS_CLUSTER = True
ROUNDS = 6
PEER = "script, a call a resource"

FILES = {
    "ingest_pipeline": (150, "description: number {n}\nprocessors:\n- set: {{field: a, value: '{n}'}}\n"),
    "search_pipeline": (150, "request_processors:\n- filter_query: {{query: {{term: {{a: '{n}'}}}}}}\n"),
    "component_template": (90, "template:\n  mappings: {{properties: {{f{n}: {{type: keyword}}}}}}\n"),
    "index_template": (40, "index_patterns: ['large-{n}-*']\ncomposed_of: ['large-{n}']\npriority: {n}\n"),
    "index": (1, "mappings: {{properties: {{a: {{type: keyword}}}}}}\n"),
    "alias": (69, "indices:\n- {{index: '${{index/large-0.name}}', filter: {{term: {{a: '{n}'}}}}}}\n"),
}
MANY = {kind: many for kind, (many, _) in FILES.items()}
HUNDRED = {
    "ingest_pipeline": 40,
    "search_pipeline": 30,
    "component_template": 15,
    "index_template": 10,
    "index": 1,
    "alias": 4,
}
PATHS = {
    "ingest_pipeline": "/_ingest/pipeline/{}",
    "search_pipeline": "/_search/pipeline/{}",
    "component_template": "/_component_template/{}",
    "index_template": "/_index_template/{}",
    "index": "/{}",
}


def run(context: Context) -> list[Table]:
    """Two tables, in milliseconds, in a process that is warm."""
    return [_unchanged(context), _made(context)]


def _unchanged(context: Context) -> Table:
    url, rounds = context.stage.url, context.settings.rounds_or(ROUNDS)
    with applied(context.stage) as provision:
        _, requests = unchanged(url, provision)
        arms = [
            Arm("osform plan", lambda: planned(url, provision)),
            Arm(PEER, lambda: asked(url, read)),
            Arm("osform's requests alone", lambda: asked(url, lambda client: replay(client, requests))),
        ]
        title = "plan of 500 resources, in a warm process"
        return context.measure(arms, rounds, title=title, unit="ms", better="less", reference=PEER)


def _made(context: Context) -> Table:
    stage, rounds = context.stage, context.settings.rounds_or(ROUNDS)
    arms = [Arm("osform apply", lambda: made(stage)), Arm(PEER, lambda: put(stage))]
    title = "100 resources made, in a warm process"
    return context.measure(arms, rounds, title=title, unit="ms", better="less", reference=PEER)


def made(stage: Stage) -> Sample:
    """One round of osform: from the files on to the last entry of the ledger, each resource read back."""
    cluster = Recording(stage.url)
    with laid(stage, HUNDRED) as provision:
        cpu, begun = time.process_time(), time.perf_counter()
        Stack.load(provision).apply(cluster).check()
        taken, used = time.perf_counter() - begun, time.process_time() - cpu
    cluster.close()
    return Sample(taken * 1000, {"requests": len(cluster.sent), "CPU ms": used * 1000})


def put(stage: Stage) -> Sample:
    """One round of the script; what it made is taken away as osform's would be, by nobody's clock."""
    with laid(stage, HUNDRED):
        sample = asked(stage.url, write)
        client = OpenSearch(hosts=[stage.url])
        for kind, many in reversed(HUNDRED.items()):
            for n in range(many if kind in PATHS else 0):
                client.transport.perform_request("DELETE", PATHS[kind].format(name(kind, n)))
        client.close()
    return sample


def write(client: OpenSearch) -> None:
    """Make all of the hundred, one by one."""
    for kind, many in HUNDRED.items():
        for n in range(many):
            body = yaml.safe_load(FILES[kind][1].format(n=n))
            if kind == "alias":
                add = {"index": name("index", 0), "alias": name(kind, n), "filter": body["indices"][0]["filter"]}
                client.indices.update_aliases(body={"actions": [{"add": add}]})
            else:
                client.transport.perform_request("PUT", PATHS[kind].format(name(kind, n)), body=body)


@contextmanager
def applied(stage: Stage) -> Iterator[Path]:
    """The folder of a stack of 500 resources that is on the cluster, and is taken away at the end."""
    cluster = Cluster(stage.url)
    with laid(stage, MANY) as provision:
        Stack.load(provision).apply(cluster).check()
        yield provision
    cluster.close()


@contextmanager
def laid(stage: Stage, many: Mapping[str, int]) -> Iterator[Path]:
    """The folder of a stack of so many resources of each kind; whatever an apply made of it goes at the end."""
    provision = stage.folder / "large"
    for kind, number in many.items():
        (provision / kind).mkdir(parents=True)
        for n in range(number):
            (provision / kind / f"{name(kind, n)}.yaml").write_text(FILES[kind][1].format(n=n))
    (provision / "stack.yaml").write_text("name: large\n")
    try:
        yield provision
    finally:
        for kind in many:
            shutil.rmtree(provision / kind)
        cluster = Cluster(stage.url)
        Stack.load(provision).apply(cluster, force=True).check()
        cluster.close()


def name(kind: str, number: int) -> str:
    """A resource's own name. Aliases and indices share theirs."""
    return f"large-{number}-alias" if kind == "alias" else f"large-{number}"


def read(client: OpenSearch) -> None:
    """Ask for all of them, one by one."""
    reads = {
        "ingest_pipeline": lambda name: client.ingest.get_pipeline(id=name),
        "search_pipeline": lambda name: client.search_pipeline.get(id=name),
        "component_template": lambda name: client.cluster.get_component_template(name=name),
        "index_template": lambda name: client.indices.get_index_template(name=name),
        "index": lambda name: client.indices.get(index=name),
        "alias": lambda name: client.indices.get_alias(name=name),
    }
    for kind, (many, _) in FILES.items():
        for number in range(many):
            reads[kind](name(kind, number))
