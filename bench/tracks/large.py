"""What it costs to find that nothing of 500 resources has changed.

The peer is a script that knows all their names and asks for each by its own (``read``), which is also how providers of
Terraform read. It compares nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opensearchpy import OpenSearch

from bench.harness import Arm, Table
from bench.stage import Stage
from bench.tracks.base import Context
from bench.tracks.plan import asked, planned, replay, unchanged
from osform.cluster.client import Cluster
from osform.flows.stack import Stack

ABOUT = "an unchanged osform plan of 500 resources against a script that asks for each"
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


def run(context: Context) -> list[Table]:
    """One table, in milliseconds, in a process that is warm."""
    url, rounds = context.stage.url, context.settings.rounds_or(ROUNDS)
    with applied(context.stage) as provision:
        _, requests = unchanged(url, provision)
        arms = [
            Arm("osform plan", lambda: planned(url, provision)),
            Arm(PEER, lambda: asked(url, read)),
            Arm("osform's requests alone", lambda: asked(url, lambda client: replay(client, requests))),
        ]
        title = "plan of 500 resources, in a warm process"
        return [context.measure(arms, rounds, title=title, unit="ms", better="less", reference=PEER)]


@contextmanager
def applied(stage: Stage) -> Iterator[Path]:
    """The folder of a stack of 500 resources that is on the cluster, and is taken away at the end."""
    provision, cluster = stage.folder / "large", Cluster(stage.url)
    for kind, (many, text) in FILES.items():
        (provision / kind).mkdir(parents=True)
        for n in range(many):
            (provision / kind / f"{name(kind, n)}.yaml").write_text(text.format(n=n))
    (provision / "stack.yaml").write_text("name: large\n")
    try:
        Stack.load(provision).apply(cluster).check()
        yield provision
    finally:
        for kind in FILES:
            shutil.rmtree(provision / kind)
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
