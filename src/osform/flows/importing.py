"""Import: files written for what is live, ids turned into references, and what they describe taken over."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from osform.cluster.client import Cluster
from osform.cluster.ledger import Ledger
from osform.cluster.retry import ping
from osform.core.address import Address
from osform.core.diff import Difference
from osform.core.document import dotted
from osform.core.events import Changed, Event, Note, Report, silent
from osform.core.plan import Adopt
from osform.errors import InputError, PlanRefused, SpecError
from osform.files.stack import load_stack
from osform.files.writing import write_resource, write_stack_file
from osform.flows.finding import Inventory, take_inventory
from osform.flows.locking import DEFAULT, LockOptions
from osform.flows.looking import Eyes
from osform.flows.owning import Adoption
from osform.flows.stack import Stack
from osform.kinds.checks import nearest


@dataclass
class Imported:
    """What an import did: files written, resources taken over, and a sentence for each that could not be.

    ``left`` are those whose file does not say what is live: they were written and not taken over.
    """

    stack: str
    environment: str
    files: list[Path] = field(default_factory=list)
    adopted: list[Address] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    left: dict[Address, tuple[Difference, ...]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The result for programs."""
        return {
            "stack": self.stack,
            "environment": self.environment,
            "files": [str(path) for path in self.files],
            "adopted": [str(address) for address in self.adopted],
            "skipped": self.skipped,
        }

    def check(self) -> None:
        """Raise PlanRefused where a file was written that does not say exactly what is live."""
        if self.left:
            lines = [f"{address}: {'; '.join(map(str, found[:5]))}" for address, found in self.left.items()]
            hint = "look at these files; osform plan --adopt ADDRESS shows what taking them over would change"
            raise PlanRefused("\n".join(["written, and not taken over, since they differ:", *lines]), hint=hint)


def import_live(
    cluster: Cluster,
    provision: Path,
    *,
    environment: str | None = None,
    variables: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    address: str | None = None,
    lock: LockOptions = DEFAULT,
    report: Report = silent,
) -> Imported:
    """Write a file for the resource at ``address``, or for everything that is live and nobody's, and take it over.

    Reads the cluster and writes its ledger, nothing else. Raises SpecError for files that are there already and have
    mistakes, InputError for an address that nothing is at and for credentials that ``environ`` does not have, LockHeld,
    Unreachable and RequestFailed.
    """
    ping(cluster)
    load = partial(Stack.load, provision, environment, variables, environ)
    with _taken_back(report) as (files, told):
        files += [path] if (path := write_stack_file(provision)) else []
        spec = load_stack(provision, environment, variables)
        done = Imported(spec.name, spec.environment, files)
        state = Ledger(cluster, spec.name, spec.environment).read()
        inventory = take_inventory(Eyes(cluster).remembering(), spec, state)
        wanted = _chosen(inventory, address, spec.resources.keys())
        if address is None:
            done.skipped = list(inventory.skipped)
            done.skipped += [
                f"{each} has a file already: osform apply --adopt {each}"
                for each in inventory.found
                if each in spec.resources
            ]
        _refuse_unset(inventory, wanted, os.environ if environ is None else environ)
        stack, wanted = _written(inventory, wanted, provision, done, load, whole=address is None)
        if stack is not None:
            adoption = Adoption(frozenset(wanted), ids={each: inventory.found[each].ids for each in wanted})
            _take_over(stack, cluster, adoption, done, lock, told)
    for path in done.files:
        report(Note(f"wrote {path}"))
    return done


@contextmanager
def _taken_back(report: Report) -> Iterator[tuple[list[Path], Report]]:
    """Yields a list for the files that are written, and a report to be told of changes.

    Where the block fails, the files go, so that the same command can be given again. Once taking over has begun, they
    stay: the ledger says by then that the stack has what they describe, and without them the next apply deletes it.
    """
    files: list[Path] = []
    begun: list[Changed] = []

    def told(event: Event) -> None:
        if isinstance(event, Changed):
            begun.append(event)
        report(event)

    try:
        yield files, told
    except BaseException:
        if begun:
            report(Note("the files stay, since taking over has begun: osform apply --adopt-all goes on from there"))
        else:
            for path in files:
                path.unlink(missing_ok=True)
        raise


def _written(
    inventory: Inventory,
    wanted: list[Address],
    provision: Path,
    done: Imported,
    load: Callable[[], Stack],
    *,
    whole: bool,
) -> tuple[Stack | None, list[Address]]:
    """Write the files, and read them as a stack. With ``whole``, those that don't fit the rest are left out and said.

    The server knows nothing of what makes a stack fit together: of names that osform gives itself, or of a vector that
    a pipeline fills and no mapping has. Returns None where there is nothing to write. Raises SpecError.
    """
    while wanted:
        there = {*wanted, *inventory.spec.resources}
        paths: dict[Path, Address] = {}
        for each in wanted:
            path = write_resource(provision, each, inventory.body(each, there))
            paths[path] = each
            done.files.append(path)
        try:
            return load(), wanted
        except SpecError as error:
            unfit = {paths.get(Path(problem.place.file)): problem for problem in reversed(error.problems)}
            if not whole or None in unfit:
                raise
        for path in paths:
            path.unlink()
            done.files.remove(path)
        done.skipped += [
            f"{each} is left out: {f'{problem.path}: ' if problem.path else ''}{problem.message}"
            for each in wanted
            if (problem := unfit.get(each))
        ]
        wanted = [each for each in wanted if each not in unfit]
    return None, []


def _take_over(
    stack: Stack, cluster: Cluster, adoption: Adoption, done: Imported, lock: LockOptions, report: Report
) -> None:
    outcome, plan = stack.take_over(cluster, adoption, lock=lock, report=report)
    done.adopted = [applied.change.address for applied in outcome.applied]
    outcome.check()
    done.left = {c.address: c.differences for c in plan.changes if isinstance(c, Adopt) and c.differences}


def _refuse_unset(inventory: Inventory, wanted: Collection[Address], environ: Mapping[str, str]) -> None:
    unset = {
        name: f"{each} has a credential in {dotted(path)}, which no file may hold: {name} is not set"
        for each in wanted
        for name, path in inventory.secrets(each).items()
        if not environ.get(name)
    }
    if unset:
        lines = list(unset.values())
        hint = (
            f"export {' '.join(f'{name}=...' for name in unset)}, and run the same command again; nothing was written"
        )
        raise InputError("\n".join(lines), hint=hint)


def _chosen(inventory: Inventory, address: str | None, there: Collection[Address]) -> list[Address]:
    """What to import; a file that is there already is left as it is."""
    free = [each for each in inventory.found if each not in there]
    if address is None:
        return free
    if any(str(each) == address for each in there):
        raise InputError(f"there is a file of {address} already", hint=f"osform apply --adopt {address}")
    chosen = [each for each in free if str(each) == address]
    if not chosen:
        sentence = next((each for each in inventory.skipped if each.startswith(f"{address} ")), None)
        near = nearest(address, {str(each) for each in free}) or "everything that is live has an owner"
        raise InputError(sentence or f"there is nothing without an owner at {address} on the cluster", hint=near)
    return chosen
