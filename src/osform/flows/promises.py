"""What a fresh export does to the lock: nothing, a new entry, or a refusal that says what differs."""

from __future__ import annotations

from dataclasses import replace

from osform.core.events import Report, Warned
from osform.core.models import Bundle, ModelLock
from osform.errors import ExportError

MOST_PROBES = 16  # as many vectors as a lock keeps; a deployed model is compared on these


def entered(
    old: ModelLock | None, fresh: ModelLock, report: Report, *, update: bool, measured: bool = True
) -> ModelLock:
    """The lock with the one bundle of ``fresh`` in it; the very ``old`` where that promises the same bytes.

    Vectors and cosines of an unchanged bundle stay as they are, since the last bit differs between processors. Bundles
    of another source or shape leave the lock. Where not everything was ``measured`` that a lock holds, the same bytes
    change nothing in it. Raises ExportError where bytes or source changed, unless ``update``.
    """
    (bundle,) = fresh.bundles
    fresh = replace(fresh, probes=fresh.probes[:MOST_PROBES])
    if old is None:
        return fresh
    same_texts = [probe.text for probe in old.probes] == [probe.text for probe in fresh.probes]
    probes = old.probes if same_texts else fresh.probes
    before = old.bundle(bundle.format, bundle.precision)
    if before is not None and before.sha256 == bundle.sha256:
        return old if same_texts or not measured else replace(old, probes=probes, bundles=_with(old, bundle))
    changes = _changes(old, before, fresh)
    if changes and not update:
        what = f"{fresh.name}: this {bundle.format} {bundle.precision} is not what lock.yaml promises:"
        hint = f"to promise this one from now on: osform model export {fresh.name} --update-lock"
        raise ExportError("\n".join([what, *changes]), hint=hint)
    if _kind(old) == _kind(fresh):
        return replace(fresh, bundles=_with(old, bundle), probes=probes)
    stale = [f"{b.format} {b.precision}" for b in old.bundles if b is not before]
    if stale:
        report(Warned(f"{fresh.name}: {', '.join(stale)} left the lock, as exported from other files or settings"))
    return fresh


def _kind(lock: ModelLock) -> tuple[str, int, int, str]:
    """What all bundles of a lock have in common."""
    return lock.source_sha256, lock.dimension, lock.max_length, lock.space_type


def _with(lock: ModelLock, bundle: Bundle) -> tuple[Bundle, ...]:
    """The lock's bundles with this one in its place, in an order that doesn't depend on who was exported first."""
    others = [b for b in lock.bundles if (b.format, b.precision) != (bundle.format, bundle.precision)]
    return tuple(sorted([*others, bundle], key=lambda b: (b.precision, b.format)))


def _changes(old: ModelLock, before: Bundle | None, fresh: ModelLock) -> list[str]:
    """What differs from the lock, a line each; nothing where only a bundle is new."""
    (bundle,) = fresh.bundles
    names = ("source files", "dimension", "max_length", "space_type")
    lines = [
        f"  {name}: {_short(was)} -> {_short(now)}"
        for name, was, now in zip(names, _kind(old), _kind(fresh), strict=True)
        if was != now
    ]
    if before is None:
        return lines
    lines += [
        f"  {name}: {before.recipe.get(name, 'none')} -> {bundle.recipe.get(name, 'none')}"
        for name in sorted({*before.recipe, *bundle.recipe})
        if before.recipe.get(name) != bundle.recipe.get(name)
    ]
    if not lines:
        lines.append("  source, settings and versions are the same: another osform, or another kind of machine")
    return [f"  sha256: {_short(before.sha256)} -> {_short(bundle.sha256)}", *lines]


def _short(value: object) -> str:
    return str(value)[:12]
