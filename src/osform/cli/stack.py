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
    from osform.flows.locking import LockOptions
    from osform.flows.plan_files import PlanFile
    from osform.flows.stack import Stack

Command = TypeVar("Command", bound=Callable[..., Any])

_REBUILD = click.option(
    "--rebuild", multiple=True, metavar="INDEX", help="Copy this index's documents into a new one, with new vectors."
)


def stack_options(command: Command) -> Command:
    """``--provision``, ``--env`` and ``--var``, as the arguments of ``loaded``."""
    for option in (
        click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="A variable's value, as YAML."),
        click.option(
            "--env", "environment", metavar="NAME", help="The environment: environments/NAME.yaml. [default: default]"
        ),
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
    """Check the files: YAML, templates, references, keys, names, dimensions. Needs no cluster."""
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
        resources = f"{len(spec.resources)} {'resource' if len(spec.resources) == 1 else 'resources'}, "
        checks = f"checks of {len(spec.checks)} {'index' if len(spec.checks) == 1 else 'indices'}, "
        found = f"{resources}{checks if spec.checks else ''}no mistake found"
        click.echo(f"{spec.name} ({spec.environment}): {found}")


@click.command()
@click.argument("address", required=False)
@stack_options
@format_option()
def render(
    address: str | None, provision: Path, environment: str | None, variables: tuple[str, ...], format: str
) -> None:
    """Print the bodies as they would be sent: all of them, or the one at ADDRESS, such as index/images."""
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
@_REBUILD
@click.option("--all", "everything", is_flag=True, help="Every stack below the folder, in each of its environments.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 if there are changes, 0 if there are none.")
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
    """Show what apply would change, and why. Changes nothing."""
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
@_REBUILD
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--expect", metavar="CHECKSUM", help="Carry out only the plan that has this checksum.")
@click.option("--force", is_flag=True, help="Allow deletions of many resources at once, or of documents.")
@click.option("--abandon", is_flag=True, help="Only delete what failed replacements of indices left behind.")
@click.option(
    "--events",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also append each event to this file, as a line of JSON.",
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
    """Show the plan, ask, and carry it out. With PLAN_FILE, carry out that plan or nothing.

    With --format json, each event is written to standard error as a line of JSON.
    """
    from osform.cli.events import event_log
    from osform.cli.plans import show
    from osform.flows.applying import Outcome
    from osform.flows.plan_files import PlanFile

    stack = rebuilding(loaded(provision, environment, variables), rebuild)
    lock = asked(lock_timeout, lease)
    if abandon:
        _abandon(stack, cluster_url, format, events, lock)
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
            otherwise = "osform apply --yes, or PLAN_FILE or --expect CHECKSUM of a reviewed plan"
            ask("carry out this plan?", otherwise, made, format)
        if made.empty and expect in (None, made.checksum):
            outcome = Outcome(made.stack)
        else:
            review = shown_anew(made, format) if yes and expect is None else None
            if expect is None and not yes:
                expect, reviewed = made.checksum, PlanFile.of(made, stack.spec)
            with event_log(format, events) as report:
                outcome = stack.apply(
                    cluster, expect=expect, reviewed=reviewed, review=review, force=force,
                    lock=lock, adoption=taken, report=report,
                )  # fmt: skip
    if format == "json":
        click.echo(json.dumps(outcome.to_json(), indent=2))
    elif outcome.applied:
        click.echo(f"applied {len(outcome.applied)} of {outcome.planned} changes in {outcome.seconds:.1f} s")
    outcome.check()


def _abandon(stack: Stack, cluster_url: str | None, format: str, events: Path | None, lock: LockOptions) -> None:
    """``osform apply --abandon``: delete what is unfinished, and make no plan."""
    from osform.cli.events import event_log
    from osform.cli.plan_words import line

    with connected(cluster_url) as cluster, event_log(format, events) as report:
        left = stack.abandon(cluster, lock=lock, report=report)
    if format == "json":
        click.echo(json.dumps({"stack": stack.spec.name, "abandoned": list(map(str, left))}, indent=2))
    else:
        names = line(", ".join(map(str, left)))
        click.echo(f"taken away: {names or 'nothing, no replacement is unfinished'}")


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


def ask(question: str, otherwise: str, plan: Plan, format: str) -> None:
    """Go on only where a person says yes to a plan; without one, InputError with what to write ``otherwise``.

    A plan that is not on standard output, where the result stands alone for a program, is shown on standard error.
    """
    import sys
    from contextlib import redirect_stdout

    from osform.cli.plans import show

    if not sys.stdin.isatty():
        raise InputError("standard input is no terminal, so nobody can be asked", hint=otherwise)
    if format != "text":
        with redirect_stdout(sys.stderr):
            show(plan, "text")
    click.confirm(question, abort=True, err=True)
