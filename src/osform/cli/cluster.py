"""``osform cluster``: a real OpenSearch on this machine."""

from __future__ import annotations

import json
from typing import Any

import click

from osform.cli.console import reporting
from osform.local.releases import RELEASES

NAME = click.option("--name", default="default", show_default=True, help="Which of several local clusters.")


@click.group()
def cluster() -> None:
    """Run a real OpenSearch on this machine, without Docker: a data node and a dedicated ML node."""


@cluster.command()
@NAME
@click.option("--port", type=int, help="HTTP port of the data node; ML nodes take the next.  [default: 9200]")
@click.option("--single/--two-nodes", default=None, help="One node that does all, or one for data and one for ML.")
@click.option("--ml-nodes", type=int, metavar="N", help="How many ML nodes.  [default: 1]")
@click.option("--heap", metavar="SIZE", help="Heap of each node, e.g. 768m or 2g.  [default: 1g]")
@click.option("--version", type=click.Choice(list(RELEASES)), help="OpenSearch version.")
@click.option("--secure", is_flag=True, default=None, help="TLS, and a user with a password of its own (2.19.1).")
@click.option("--timeout", type=float, default=300, show_default=True, help="Seconds to wait for the nodes.")
def up(
    name: str,
    port: int | None,
    single: bool | None,
    ml_nodes: int | None,
    heap: str | None,
    version: str | None,
    secure: bool | None,
    timeout: float,
) -> None:
    """Start the cluster, or what is missing of it, and wait until it serves.

    The first time it is downloaded (about 690 MB, 570 MB for 2.19.6) and unpacked. Options that are left
    out keep their values from the last time.
    """
    from osform.flows import local_cluster

    asked = local_cluster.Asked(port, single, heap, version, ml_nodes, secure or None)
    with reporting() as report:
        state = local_cluster.up(name, asked, report=report, timeout=timeout)
    click.echo(_text(state))


@cluster.command()
@NAME
@click.option("--node", metavar="NODE", help="Stop this node alone: data, ml, ml-2 ... `up` brings it back.")
@click.option("--purge", is_flag=True, help="Remove the cluster's data and logs as well.")
def down(name: str, node: str | None, purge: bool) -> None:
    """Stop the cluster. Its data are kept, unless --purge is given."""
    from osform.flows import local_cluster

    if node and purge:
        raise click.UsageError("--purge removes the whole cluster; it does not go with --node")
    with reporting() as report:
        local_cluster.down(name, node=node, purge=purge, report=report)


@cluster.command()
@NAME
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def status(name: str, form: str) -> None:
    """Show nodes, processes, ports and health."""
    from osform.flows import local_cluster

    state = local_cluster.status(name)
    click.echo(json.dumps(_json(state), indent=2) if form == "json" else _text(state))


@cluster.command()
@NAME
@click.option("--node", metavar="NODE", help="This node alone: data, ml, ml-2 ...")
@click.option("--lines", default=50, show_default=True, help="How many of the last lines of each node.")
@click.option("--follow", "-f", is_flag=True, help="Go on with new lines as they come.")
def logs(name: str, node: str | None, lines: int, follow: bool) -> None:
    """Show what the nodes wrote into their logs."""
    from osform.flows import local_cluster
    from osform.local.logs import follow as following
    from osform.local.logs import tail

    files = local_cluster.log_files(name, node)
    for file in files.values():
        for line in tail(file, lines):
            click.echo(line)
    if follow:
        for _, line in following(files):
            click.echo(line)


def _json(state: Any) -> dict[str, Any]:
    """The status for programs; more keys may come."""
    return {
        "name": state.name,
        "running": state.running,
        "url": state.spec.url if state.spec else None,
        "version": state.spec.version if state.spec else None,
        "secure": state.spec.secure if state.spec else None,
        "health": state.health.status if state.health else None,
        "nodes": [
            {
                "name": each.node.name,
                "roles": list(each.node.roles),
                "url": each.node.url,
                "running": each.pid is not None,
                "pid": each.pid,
                "heap_used": each.health.heap_used if each.health else None,
                "heap_max": each.health.heap_max if each.health else None,
            }
            for each in state.nodes
        ],
    }


def _text(state: Any) -> str:
    """The status for people."""
    if state.spec is None:
        return f"there is no cluster {state.name}; osform cluster up starts one"
    health = state.health.status if state.health else ("no answer" if state.running else "stopped")
    lines = [f"{state.name}: OpenSearch {state.spec.version} at {state.spec.url}, {health}"]
    for each in state.nodes:
        process = f"pid {each.pid}" if each.pid else "stopped"
        heap = f", heap {each.health.heap_used >> 20} of {each.health.heap_max >> 20} MB" if each.health else ""
        lines.append(f"  {each.node.name:<5} {each.node.url}  {process}{heap}")
    return "\n".join(lines)
