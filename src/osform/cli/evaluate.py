"""``osform evaluate``: whether indices find what they should, fast enough."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from osform.cli.console import reporting
from osform.cli.options import cluster_option, connected, format_option
from osform.cli.stack import loaded, stack_options

if TYPE_CHECKING:
    from osform.core.verdicts import Verdict


@click.command()
@click.argument("indices", metavar="[INDEX]...", nargs=-1)
@click.option("--against", metavar="INDEX", help="Another index to compare with, by its physical name or an alias.")
@stack_options
@cluster_option
@format_option()
def evaluate(
    indices: tuple[str, ...],
    against: str | None,
    provision: Path,
    environment: str | None,
    variables: tuple[str, ...],
    cluster_url: str | None,
    format: str,
) -> int:
    """Run the searches of provision/checks/ and measure the answers. Exits with 1 if a threshold fails.

    INDEX is an index of the stack, such as images; by default all that have checks. Changes nothing.
    """
    from osform.flows.evaluating import evaluate_all

    stack = loaded(provision, environment, variables)
    with connected(cluster_url) as cluster, reporting() as report:
        verdicts = evaluate_all(cluster, stack.spec, indices, against=against, report=report)
    passed = all(each.passed for each in verdicts)
    if format == "json":
        result = {"stack": stack.spec.name, "environment": stack.spec.environment, "passed": passed}
        result["indices"] = [each.to_json() for each in verdicts]
        click.echo(json.dumps(result, indent=2, ensure_ascii=False))
        return 0 if passed else 1
    click.echo("\n\n".join(_text(each) for each in verdicts))
    return 0 if passed else 1


def _text(verdict: Verdict) -> str:
    from osform.cli.plan_words import line
    from osform.flows.verdict_words import told

    count = len(verdict.checks.queries)
    word = click.style("passed", fg="green") if verdict.passed else click.style("failed", fg="red")
    head = f"index/{verdict.checks.index}: {count} {'query' if count == 1 else 'queries'}, {word}"
    return "\n".join([head, *map(line, told(verdict).splitlines())])
