"""A resource as its file asks for it, and the stack of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter
from typing import Any

from osform.core.address import Address
from osform.core.checks import Checks
from osform.core.document import Document, Path
from osform.core.models import PackagedModel
from osform.core.policies import Policy
from osform.errors import Place, Problem


@dataclass(frozen=True)
class Resource:
    """One resource of a stack, references unresolved.

    ``body`` is the API's body. ``document`` is where it stands: the file, or the text rendered from a template.
    ``file`` is always the resource's own file. ``may_close`` allows an index to be closed for a moment, where a change
    can be made so.
    """

    address: Address
    body: Mapping[str, Any]
    document: Document
    file: str
    protect: bool = False
    may_close: bool = False

    def place(self, path: Path = ()) -> Place:
        """Where a part of the body stands."""
        return self.document.place(path)

    def problem(self, path: Path, message: str, hint: str = "") -> Problem:
        """A mistake at ``path`` of the body."""
        return self.document.problem(path, message, hint)


@dataclass(frozen=True)
class StackSpec:
    """Everything that the folders say for one environment, checked as far as files can be.

    ``unreadable`` are models whose files have mistakes, which have been reported. ``retention`` is how long a physical
    index that was replaced is kept, so that a rollback finds it. ``checks`` are what indices must find, by index.
    ``history`` is how long the records of runs are kept.
    """

    name: str
    environment: str
    variables: Mapping[str, Any]
    resources: Mapping[Address, Resource]
    models: Mapping[str, PackagedModel]
    moved: Mapping[Address, Address] = field(default_factory=dict)
    bundles: str | None = None
    commit: str | None = None
    unreadable: frozenset[str] = frozenset()
    retention: timedelta = timedelta(days=7)
    checks: Mapping[str, Checks] = field(default_factory=dict)
    history: timedelta = timedelta(days=90)
    policies: tuple[Policy, ...] = ()


def in_order(needs: Mapping[Address, Iterable[Address]]) -> tuple[Address, ...]:
    """The addresses, each after what it needs, otherwise by name; raises ``graphlib.CycleError`` on a cycle.

    ``CycleError.args[1]`` is the cycle, its first address repeated at the end.
    """
    sorter: TopologicalSorter[Address] = TopologicalSorter()
    for address in sorted(needs):
        sorter.add(address, *sorted(set(needs[address])))
    sorter.prepare()
    ordered: list[Address] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        ordered += ready
        sorter.done(*ready)
    return tuple(ordered)


__all__ = ["CycleError", "Resource", "StackSpec", "in_order"]
