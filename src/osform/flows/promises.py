"""What a fresh export does to the lock: nothing, a new entry, or a refusal that says what differs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from osform.core.closeness import closeness
from osform.core.events import Report, Warned
from osform.core.models import Bundle, ModelLock, Probe
from osform.errors import ExportError

MOST_PROBES = 16  # as many vectors as a lock keeps; a deployed model is compared on these
# Half precision and another processor move a cosine by far less, another pooling by far more; a length likewise.
_SAME_COSINE, _SAME_LENGTH = 0.9999, 0.01


def entered(
    old: ModelLock | None, fresh: ModelLock, report: Report, *, update: bool, measured: bool = True
) -> ModelLock:
    """The lock with the one bundle of ``fresh`` in it; the very ``old`` where that promises the same bytes.

    Vectors and cosines of an unchanged bundle stay as they are, since the last bit differs between processors. Bundles
    of another source, shape or space, or of other vectors, leave the lock. Where not everything was ``measured`` that
    a lock holds, the same bytes change nothing in it. Raises ExportError where bytes or source changed, unless
    ``update``.
    """
    (bundle,) = fresh.bundles
    fresh = replace(fresh, probes=fresh.probes[:MOST_PROBES])
    if old is None:
        return fresh
    same_texts = [probe.text for probe in old.probes] == [probe.text for probe in fresh.probes]
    probes = old.probes if same_texts else fresh.probes
    before = old.bundle(bundle.format, bundle.precision)
    apart = _apart(old, fresh)
    if before is not None and before.sha256 == bundle.sha256 and not (apart and update):
        if apart and measured:
            told = "; ".join(line.strip() for line in apart)
            report(Warned(f"{fresh.name}: the bytes are the lock's, but not what else it says: {told}; --update-lock"))
        return old if same_texts or not measured else replace(old, probes=probes, bundles=_with(old, bundle))
    apart = apart or _other_vectors(old, fresh)
    changes = apart if before is None else _changes(before, bundle, apart)
    if changes and not update:
        what = f"{fresh.name}: this {bundle.format} {bundle.precision} is not what lock.yaml promises:"
        hint = f"to promise this one from now on: osform model export {fresh.name} --update-lock"
        raise ExportError("\n".join([what, *changes]), hint=hint)
    if not apart:
        return replace(fresh, bundles=_with(old, bundle), probes=probes)
    stale = [f"{b.format} {b.precision}" for b in old.bundles if b is not before]
    if stale:
        report(Warned(f"{fresh.name}: {', '.join(stale)} left the lock, as exported from other files or settings"))
    return fresh


def _with(lock: ModelLock, bundle: Bundle) -> tuple[Bundle, ...]:
    """The lock's bundles with this one in its place, in an order that doesn't depend on who was exported first."""
    others = [b for b in lock.bundles if (b.format, b.precision) != (bundle.format, bundle.precision)]
    return tuple(sorted([*others, bundle], key=lambda b: (b.precision, b.format)))


def _apart(old: ModelLock, fresh: ModelLock) -> list[str]:
    """What differs of that which all bundles of a lock have in common, a line each."""
    return [
        f"  {name}: {_short(was)} -> {_short(now)}"
        for name, was, now in (
            ("source files", old.source_sha256, fresh.source_sha256),
            ("dimension", old.dimension, fresh.dimension),
            ("max_length", old.max_length, fresh.max_length),
            ("space_type", old.space_type, fresh.space_type),
        )
        if was != now
    ]


def _other_vectors(old: ModelLock, fresh: ModelLock) -> list[str]:
    """A line where the source gives a text of both locks another answer: no other field shows another pooling."""
    before = {probe.text: probe for probe in old.probes}
    there = [probe for probe in fresh.probes if probe.text in before]
    other = [probe.text for probe in there if not _alike(before[probe.text], probe)]
    more = f" and {len(other) - 1} other texts" if len(other) > 1 else ""
    return [f"  the vector of {_short(other[0])!r}{more}: pooling, normalize or the like"] if other else []


def _alike(one: Probe, other: Probe) -> bool:
    if not closeness(one.vector, other.vector) >= _SAME_COSINE:
        return False
    if isinstance(one.vector, Mapping) or isinstance(other.vector, Mapping) or len(one.vector) == 1:
        return True
    return math.isclose(math.hypot(*one.vector), math.hypot(*other.vector), rel_tol=_SAME_LENGTH)


def _changes(before: Bundle, bundle: Bundle, apart: list[str]) -> list[str]:
    """What differs from the lock's bundle of that format and precision, a line each."""
    lines = [
        *apart,
        *(
            f"  {name}: {before.recipe.get(name, 'none')} -> {bundle.recipe.get(name, 'none')}"
            for name in sorted({*before.recipe, *bundle.recipe})
            if before.recipe.get(name) != bundle.recipe.get(name)
        ),
    ]
    if not lines:
        lines.append("  source, settings and versions are the same: another osform, or another kind of machine")
    return [f"  sha256: {_short(before.sha256)} -> {_short(bundle.sha256)}", *lines]


def _short(value: object) -> str:
    return str(value)[:12]
