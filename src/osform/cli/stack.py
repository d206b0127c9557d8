"""``osform validate``, ``render``, ``plan`` and ``apply``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from osform.cli.lock import asked, lock_options
from osform.cli.options import adopt_options, adoption, cluster_option, connected, format_option
from osform.errors import InputError

if TYPE_CHECKING:
    from osform.core.plan import Plan
    from osform.flows.plan_files import PlanFile
    from osform.flows.stack import Stack

Command = TypeVar("Command", bound=Callable[..., Any])


def stack_options(command: Command) -> Command:
    """``--provision``, ``--env`` and ``--var``, as the arguments of ``loaded``."""
    for option in (
        click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="A variable's value, as YAML."),
        click.option("--env", "environment", metavar="NAME", help="The environment. [default: default]"),
        click.option(
            "--provision", default="provision", show_default=True, type=click.Path(path_type=Path), metavar="DIR",
            help="The folder that says what the cluster should hold.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def loaded(provision: Path, environment: str | None, variables: tuple[str, ...]) -> Stack:
    """The stack that the options name, checked."""
    from osform.flows.stack import Stack

    return Stack.load(provision, environment, given(variables))


def given(variables: tuple[str, ...]) -> dict[str, Any]:
    """The values that ``--var`` gives, by name."""
    from osform.files.yaml import parse

    values: dict[str, Any] = {}
    for variable in variables:
        name, equals, text = variable.partition("=")
        if not equals:
            raise InputError(f"--var {variable}: expected NAME=VALUE", hint="--var replicas=2")
        values[name] = parse(text, f"--var {name}").value if text.strip() else ""
    return values


@click.command()
@stack_options
@format_option()
def validate(provision: Path, environment: str | None, variables: tuple[str, ...], format: str) -> None:
    """Check everything that can be known about the files without a cluster."""
    stack = loaded(provision, environment, variables)
    stack.check_policies()
    spec = stack.spec
    if format == "json":
        result = {
            "stack": spec.name,
            "environment": spec.environment,
            "resources": sorted(map(str, spec.resources)),
            "checks": sorted(spec.checks),
            "policies": [policy.name for policy in spec.policies],
        }
        click.echo(json.dumps(result, indent=2))
    else:
        many = f"checks of {len(spec.checks)} {'index' if len(spec.checks) == 1 else 'indices'}, "
        found = f"{len(spec.resources)} resources, {many if spec.checks else ''}no mistake found"
        click.echo(f"{spec.name} ({spec.environment}): {found}")


@click.command()
@click.argument("address", required=False)
@stack_options
@format_option()
def render(
    address: str | None, provision: Path, environment: str | None, variables: tuple[str, ...], format: str
) -> None:
    """Show the bodies as they would be sent: all of them, or the one at ADDRESS, e.g. index/images."""
    from osform.core.values import concealed
    from osform.files.writing import dump
    from osform.kinds.checks import nearest

    bodies = {
        str(each): concealed(dict(body)) for each, body in loaded(provision, environment, variables).render().items()
    }
    if address is not None:
        if address not in bodies:
            raise InputError(f"there is no {address} in {provision}", hint=nearest(address, set(bodies)))
        bodies = {address: bodies[address]}
    if format == "json":
        click.echo(json.dumps(bodies, indent=2, ensure_ascii=False))
    else:
        for each, body in bodies.items():
            click.echo(f"# {each}")
            click.echo(dump(body))


@click.command()
@stack_options
@cluster_option
@format_option("markdown", "html")
@adopt_options
@click.option("--rebuild", multiple=True, metavar="INDEX", help="Copy this index's documents anew, vectors and all.")
@click.option("--all", "everything", is_flag=True, help="Every stack below the folder, in every environment it has.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 where there are changes, 0 where there are none.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Also write the plan to this file, for apply."
)
@click.option("--page", type=click.Path(path_type=Path, dir_okay=False), help="Also write it to this file, as HTML.")
def plan(
    provision: Path,
    environment: str | None,
    variables: tuple[str, ...],
    cluster_url: str | None,
    format: str,
    adopt: tuple[str, ...],
    adopt_all: bool,
    rebuild: tuple[str, ...],
    everything: bool,
    detailed_exitcode: bool,
    out: Path | None,
    page: Path | None,
) -> int:
    """Show what apply would do, and why. Nothing is changed."""
    from osform.cli.plans import show
    from osform.cluster.retry import ping
    from osform.files.bundles import cache_folder
    from osform.flows.plan_files import PlanFile, remember

    if everything:
        from osform.cli.all_stacks import plan_all

        if adopt or adopt_all or rebuild or out or page:
            raise InputError(
                "--all goes with no --adopt, --adopt-all, --rebuild, --out or --page", hint="one at a time"
            )
        root = Path() if provision == Path("provision") else provision
        with connected(cluster_url) as cluster:
            return plan_all(cluster, root, environment, variables, format, detailed=detailed_exitcode)
    stack = rebuilding(loaded(provision, environment, variables), rebuild)
    with connected(cluster_url) as cluster:
        made = stack.plan(cluster, adoption=adoption(adopt, adopt_all, stack.spec.resources))
        kept = PlanFile.of(made, stack.spec, ping(cluster) if out else None, rebuild=stack.rebuild)
    if out is not None:
        kept.write(out)
    if page is not None:
        _write_page(page, made)
    remember(cache_folder(stack.environ), kept)
    show(made, format)
    return 2 if detailed_exitcode and not made.empty else 0


def _write_page(path: Path, plan: Plan) -> None:
    from osform.cli.plan_html import html

    try:
        path.write_text(html(plan) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"--page {path}: can't be written: {error.strerror}") from error


@click.command()
@click.argument("plan_file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@stack_options
@cluster_option
@format_option()
@adopt_options
@click.option("--rebuild", multiple=True, metavar="INDEX", help="Copy this index's documents anew, vectors and all.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--expect", metavar="CHECKSUM", help="Carry out only the plan that has this checksum.")
@click.option("--force", is_flag=True, help="Release the brake on deletions.")
@click.option("--abandon", is_flag=True, help="Only take away what replacements of indices that failed have left.")
@click.option(
    "--events",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also append what happens to this file, as JSON, a line an event.",
)
@lock_options
def apply(
    plan_file: Path | None,
    provision: Path,
    environment: str | None,
    variables: tuple[str, ...],
    cluster_url: str | None,
    format: str,
    adopt: tuple[str, ...],
    adopt_all: bool,
    rebuild: tuple[str, ...],
    yes: bool,
    expect: str | None,
    force: bool,
    abandon: bool,
    events: Path | None,
    lock_timeout: float,
    lease: float,
) -> None:
    """Show the plan, then carry it out: the plan of PLAN_FILE, or none.

    With --format json, what happens is told on stderr as JSON, a line an event.
    """
    from osform.cli.events import logging
    from osform.cli.plan_words import line
    from osform.cli.plans import show
    from osform.flows.applying import Outcome
    from osform.flows.plan_files import PlanFile

    stack = rebuilding(loaded(provision, environment, variables), rebuild)
    if abandon:
        with connected(cluster_url) as cluster, logging(format, events) as report:
            left = stack.abandon(cluster, lock=asked(lock_timeout, lease), report=report)
        if format == "json":
            click.echo(json.dumps({"stack": stack.spec.name, "abandoned": list(map(str, left))}, indent=2))
        else:
            names = line(", ".join(map(str, left)))
            click.echo(f"taken away: {names or 'nothing, no replacement is unfinished'}")
        return
    taken = adoption(adopt, adopt_all, stack.spec.resources)
    reviewed = PlanFile.read(plan_file) if plan_file else None
    expect = _expected(expect, reviewed)
    with connected(cluster_url) as cluster:
        if reviewed is not None:
            reviewed.check(stack.spec, cluster)
            taken = replace(taken, addresses=taken.addresses | reviewed.adopted)
            stack = replace(stack, rebuild=stack.rebuild | reviewed.rebuilt)
        made = stack.plan(cluster, adoption=taken)
        if format == "text":
            show(made, format)
        if not made.empty and not yes and expect is None:
            ask("carry out this plan?", "osform apply --yes, or PLAN_FILE or --expect CHECKSUM of a reviewed plan")
        if made.empty and expect in (None, made.checksum):
            outcome = Outcome(made.stack)
        else:
            review = shown_anew(made, format) if yes and expect is None else None
            if expect is None and not yes:
                expect, reviewed = made.checksum, PlanFile.of(made, stack.spec)
            with logging(format, events) as report:
                outcome = stack.apply(
                    cluster, expect=expect, reviewed=reviewed, review=review, force=force,
                    lock=asked(lock_timeout, lease), adoption=taken, report=report,
                )  # fmt: skip
    if format == "json":
        click.echo(json.dumps(outcome.to_json(), indent=2))
    elif outcome.applied:
        click.echo(f"applied {len(outcome.applied)} of {outcome.planned} changes in {outcome.seconds:.1f} s")
    outcome.check()


def rebuilding(stack: Stack, indices: Sequence[str]) -> Stack:
    """The stack with what ``--rebuild`` names; InputError for what is no index of it."""
    known = {str(each): each for each in stack.spec.resources if each.kind == "index"}
    for text in indices:
        if text not in known:
            from osform.kinds.checks import nearest

            raise InputError(f"--rebuild {text}: no index of this stack", hint=nearest(text, known))
    return replace(stack, rebuild=frozenset(known[text] for text in indices))


def shown_anew(before: Plan, format: str) -> Callable[[Plan], None]:
    """With --yes nobody chose the plan that was shown: where another one holds by now, that one is shown as well."""
    from osform.cli.plans import show

    def review(plan: Plan) -> None:
        if plan.checksum != before.checksum and format == "text":
            click.echo("the cluster has changed meanwhile; the plan is now:", err=True)
            show(plan, format)

    return review


def _expected(expect: str | None, reviewed: PlanFile | None) -> str | None:
    if reviewed is None:
        return expect
    if expect not in (None, reviewed.checksum):
        raise InputError(f"{reviewed.name} has the checksum {reviewed.checksum}, not that of --expect")
    return reviewed.checksum


def ask(question: str, otherwise: str) -> None:
    """Go on only where a person says yes; without one, InputError with what to write ``otherwise``."""
    import sys

    if not sys.stdin.isatty():
        raise InputError("nobody is there to be asked", hint=otherwise)
    click.confirm(question, abort=True, err=True)
