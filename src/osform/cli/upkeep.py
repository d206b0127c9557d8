"""``osform drift``, ``destroy``, ``status``, ``import`` and ``rollback``: what is on the cluster, and keeping it so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from osform.cli.console import reporting
from osform.cli.lock import asked, lock_options
from osform.cli.options import answering, cluster_option, connected, format_option
from osform.cli.stack import ask, given, loaded, shown_anew, stack_options
from osform.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from osform.cluster.identity import Identity
    from osform.flows.drifting import Drift
    from osform.flows.status import Row

_MOST_LINES = 12
_LONGEST = 100  # characters of a value


@click.command()
@stack_options
@cluster_option
@format_option()
@click.option("--vectors", metavar="N|all", help="Also compare the vectors of N documents an index with their texts.")
def drift(
    provision: Path,
    environment: str | None,
    variables: tuple[str, ...],
    cluster_url: str | None,
    format: str,
    vectors: str | None,
) -> int:
    """Show what was changed on the cluster behind the files' back. Exits with 2 if anything was."""
    stack = loaded(provision, environment, variables)
    sample = _sample(vectors)
    with connected(cluster_url) as cluster:
        found = stack.drift(cluster, vectors=sample)
    spec = stack.spec
    if format == "json":
        shown = {"stack": spec.name, "environment": spec.environment, "drift": [each.to_json() for each in found]}
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    elif found:
        for each in found:
            _show_drift(each)
        click.echo(f"{spec.name} ({spec.environment}): {len(found)} drifted{_mended(found)}")
    else:
        click.echo(f"{spec.name} ({spec.environment}): no drift, the cluster is as it was left")
    return 2 if found else 0


def _sample(text: str | None) -> int | None:
    if text == "all":
        return None
    if text is None or (text.isascii() and text.isdigit() and 0 < int(text) <= 10_000):
        return int(text or 0)
    raise InputError(f"--vectors {text}: expected a number up to 10,000, or all", hint="--vectors 200")


def _mended(found: Sequence[Drift]) -> str:
    """What an apply mends of it; what it doesn't has been told beside it."""
    from osform.flows.drifting import APPLY

    count = sum(each.next == APPLY for each in found)
    part = "" if count == len(found) else f", for {count} of them"
    return f". next: {APPLY}{part}" if count else ""


def _show_drift(drift: Drift) -> None:
    from osform.cli.plan_words import line
    from osform.core.document import dotted
    from osform.flows.drifting import APPLY

    detail = f": {drift.detail}" if drift.detail else ""
    click.echo(click.style(line(f"~ {drift.address}"), fg="yellow", bold=True) + line(f"  {drift.what}{detail}"))
    if drift.next != APPLY:
        click.echo(line(f"    next: {drift.next}"))
    if drift.what != "changed":
        return
    for each in drift.differences[:_MOST_LINES]:
        click.echo(line(f"    {dotted(each.path)}: {_shown(each.before)} -> {_shown(each.after)}"))
    if (rest := len(drift.differences) - _MOST_LINES) > 0:
        click.echo(f"    and {rest} more")


def _shown(value: Any) -> str:
    from osform.core.diff import ABSENT
    from osform.core.values import concealed

    if value is ABSENT:
        return "(nothing)"
    text = json.dumps(concealed(value), ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


@click.command()
@stack_options
@cluster_option
@format_option()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Delete indices that have documents as well.")
@lock_options
def destroy(
    provision: Path,
    environment: str | None,
    variables: tuple[str, ...],
    cluster_url: str | None,
    format: str,
    yes: bool,
    force: bool,
    lock_timeout: float,
    lease: float,
) -> None:
    """Delete everything that this stack and environment made, what was made last first.

    If something else on the cluster still uses one of its models, pipelines or groups, nothing is deleted.
    """
    from osform.cli.events import event_log
    from osform.cli.plan_words import line
    from osform.cli.plans import show
    from osform.flows.applying import Outcome
    from osform.flows.plan_files import PlanFile

    stack = loaded(provision, environment, variables).emptied()
    with connected(cluster_url) as cluster:
        made = stack.plan(cluster)
        if format == "text" and not made.empty:
            show(made, format)
        if not made.empty and not yes:
            ask("delete all this?", "osform destroy --yes", made, format)
        outcome = Outcome(made.stack)
        if not made.empty:
            with event_log(format, None) as report:
                outcome = stack.apply(
                    cluster,
                    expect=None if yes else made.checksum,
                    reviewed=PlanFile.of(made, stack.spec, name="the plan that was shown"),
                    review=shown_anew(made, format) if yes else None,
                    force=force,
                    lock=asked(lock_timeout, lease),
                    report=report,
                )
    if format == "json":
        click.echo(json.dumps(outcome.to_json(), indent=2))
    elif made.empty:
        click.echo(f"{line(f'{made.stack} ({made.environment})')}: nothing to delete")
    else:
        click.echo(f"deleted {len(outcome.applied)} of {outcome.planned} resources")
    outcome.check()


@click.command()
@stack_options
@cluster_option
@format_option()
def status(
    provision: Path, environment: str | None, variables: tuple[str, ...], cluster_url: str | None, format: str
) -> None:
    """Show who you are on the cluster, and what is there: since when, by whom, from which commit, and its health."""
    from osform.cli.plan_words import line
    from osform.cluster.identity import identity

    stack = loaded(provision, environment, variables)
    with answering(cluster_url) as cluster:
        who, url = identity(cluster), cluster.url
        if format == "text":  # even where nothing else is for this user to see
            for sentence in _identified(who, url):
                click.echo(line(sentence))
        rows = stack.status(cluster)
    if format == "json":
        spec = stack.spec
        shown = {
            "stack": spec.name,
            "environment": spec.environment,
            "cluster": url,
            "identity": who.to_json() if who else None,
            "resources": [row.to_json() for row in rows],
        }
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        _show_status(rows)


def _show_status(rows: Sequence[Row]) -> None:
    """A table with a line for each resource, red where something is wrong with it."""
    from osform.cli.plan_words import line

    table: list[tuple[str, ...]] = [("resource", "since", "by", "commit", "health", "documents")]
    for row in rows:
        commit = (row.commit or "")[:10] + ("+changes" if (row.commit or "").endswith("+changes") else "")
        documents = "" if row.documents is None else f"{row.documents:,}"
        words = (str(row.address), row.applied_at[:16], row.applied_by, commit, row.health, documents)
        table.append(tuple(map(line, words)))
    widths = [max(len(cells[column]) for cells in table) for column in range(len(table[0]))]
    for cells, row_is_well in zip(table, (True, *(row.healthy for row in rows)), strict=True):
        text = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        click.echo(text if row_is_well else click.style(text, fg="red"))


def _identified(who: Identity | None, url: str) -> Iterator[str]:
    if who is None:
        yield f"{url} has no security: everybody may do everything"
        return
    yield f"you are {who.user} at {url}, with the roles {', '.join(who.roles) or '(none)'}"
    for role, rights in (who.rights or {}).items():
        indices = ", ".join(sorted({each for one in rights["index_permissions"] for each in one["index_patterns"]}))
        yield f"  {role}: {len(rights['cluster_permissions'])} rights on the cluster, others on {indices or 'no index'}"
    if who.rights is None:
        yield "  what these allow is not for this user to see"


@click.command("import")
@click.argument("address", required=False)
@stack_options
@cluster_option
@format_option()
@click.option("--all", "everything", is_flag=True, help="Everything on the cluster that belongs to no stack.")
@lock_options
def import_(
    address: str | None,
    provision: Path,
    environment: str | None,
    variables: tuple[str, ...],
    cluster_url: str | None,
    format: str,
    everything: bool,
    lock_timeout: float,
    lease: float,
) -> None:
    """Write files for what is on the cluster and belongs to no stack, and take it over. The cluster is not changed.

    ADDRESS is one resource, such as index/images; --all is everything.
    """
    from osform.cli.plan_words import line
    from osform.flows.importing import import_live

    if everything == bool(address):
        raise InputError("what is to be imported?", hint="osform import index/images, or osform import --all")
    values = given(variables)
    with connected(cluster_url) as cluster, reporting() as report:
        done = import_live(
            cluster,
            provision,
            environment=environment,
            variables=values,
            address=address,
            lock=asked(lock_timeout, lease),
            report=report,
        )
    if format == "json":
        click.echo(json.dumps(done.to_json(), indent=2, ensure_ascii=False))
    else:
        for sentence in done.skipped:
            click.echo(f"warning: {line(sentence)}", err=True)
        click.echo(f"{done.stack} ({done.environment}): {len(done.files)} files, {len(done.adopted)} taken over")
    done.check()


@click.command()
@click.argument("address")
@stack_options
@cluster_option
@format_option()
@click.option(
    "--writes",
    type=click.Choice(["refuse", "carry", "leave"]),
    default="refuse",
    show_default=True,
    help="If documents were written since: do not go back, copy them first, or leave them behind.",
)
@lock_options
def rollback(
    address: str,
    provision: Path,
    environment: str | None,
    variables: tuple[str, ...],
    cluster_url: str | None,
    format: str,
    writes: Any,
    lock_timeout: float,
    lease: float,
) -> None:
    """Switch the index at ADDRESS back to the one that it replaced, with its pipelines and models.

    A plan made afterwards shows where the cluster differs from the files.
    """
    from osform.core.address import Address

    try:
        named = Address.parse(address)
    except ValueError as error:
        raise InputError(str(error)) from error
    stack = loaded(provision, environment, variables)
    with connected(cluster_url) as cluster, reporting() as report:
        done = stack.rollback(cluster, named, writes=writes, lock=asked(lock_timeout, lease), report=report)
    if format == "json":
        click.echo(json.dumps(done.to_json(), indent=2))
    else:
        carried = f", with {done.carried:,} documents written since" if done.carried else ""
        click.echo(f"{done.address} is {done.now} again{carried} ({done.seconds:.1f} s); {done.before} is kept")
