"""How two JSON trees differ, and what one lacks of the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from osform.core.document import Path, dotted
from osform.core.values import Unknown, leaves
from osform.errors import Place


class Absent:
    """What stands where nothing is; there is one, ``ABSENT``, and null is something else."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT = Absent()


@dataclass(frozen=True)
class Difference:
    """One leaf that differs. ``before`` or ``after`` is ABSENT where the leaf is new or gone."""

    path: Path
    before: Any
    after: Any
    place: Place | None = None

    def __str__(self) -> str:
        return f"{dotted(self.path)}: {self.before!r} -> {self.after!r}"


def differences(before: Any, after: Any) -> tuple[Difference, ...]:
    """All leaves that differ, in the order of ``after``, then what only ``before`` has. An empty tree has no leaves."""
    return tuple(_differences(before, after, ()))


def _differences(before: Any, after: Any, path: Path) -> Iterator[Difference]:
    match before, after:
        case dict(), dict():
            keys = [*after, *(key for key in before if key not in after)]
            pairs = [(key, before.get(key, ABSENT), after.get(key, ABSENT)) for key in keys]
        case list(), list():
            many = range(max(len(before), len(after)))
            pairs = [(n, (before[n : n + 1] or [ABSENT])[0], (after[n : n + 1] or [ABSENT])[0]) for n in many]
        case _:
            yield from _replaced(before, after, path)
            return
    for key, one, other in pairs:
        yield from _differences(one, other, (*path, key))


def _replaced(before: Any, after: Any, path: Path) -> Iterator[Difference]:
    """What stands at one path was another sort of thing, or nothing: leaf by leaf, but for an empty whole tree."""
    if same(before, after):
        return
    old, new = (dict(_leaves_at(tree, path)) for tree in (before, after))
    for inner in {**new, **old}:
        yield Difference(inner, old.get(inner, ABSENT), new.get(inner, ABSENT))


def _leaves_at(tree: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if tree is ABSENT or (not path and not tree and isinstance(tree, dict | None)):
        return
    yield from leaves(tree, path)


def missing(asked: Any, found: Any) -> tuple[Difference, ...]:
    """Leaves of ``asked`` that ``found`` lacks or has otherwise: ``before`` is what was asked, ``after`` what is there.

    ``found`` may hold more than was asked, except in a list, whose length is part of what was asked.
    An empty mapping asks for nothing.
    """
    return tuple(_missing(asked, found, ()))


def _missing(asked: Any, found: Any, path: Path) -> Iterator[Difference]:
    match asked, found:
        case dict(), dict():
            for key, value in asked.items():
                yield from _missing(value, found.get(key, ABSENT), (*path, key))
        case list(), list() if len(asked) == len(found):
            for index, value in enumerate(asked):
                yield from _missing(value, found[index], (*path, index))
        case dict(), Absent():
            for inner, value in leaves(asked):
                if value != {}:
                    yield Difference((*path, *inner), value, ABSENT)
        case _ if not same(asked, found):
            yield Difference(path, asked, found)


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 is 1.0, but true is not 1, and what is known after apply equals only itself."""
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    if isinstance(one, Unknown) != isinstance(other, Unknown):
        return False
    return bool(one == other)


def value_at(tree: Any, path: Path) -> Any:
    """What stands at a path of a JSON tree, ABSENT where nothing does."""
    for part in path:
        there = part in tree if isinstance(tree, Mapping) else isinstance(tree, list) and part in range(len(tree))
        if not there:
            return ABSENT
        tree = tree[part]
    return tree
