"""What a fresh export does to a lock, without exporting anything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from osform.core.events import Event, Warned, silent
from osform.core.models import Bundle, Format, ModelLock, Probe
from osform.errors import ExportError
from osform.flows.promises import MOST_PROBES, entered


def lock(
    format: Format = "onnx", sha256: str = "a", source: str = "s", *, torch: str = "2.13.0", x: float = 1.0
) -> ModelLock:
    """A lock with one bundle, as an export makes it."""
    bundle = Bundle(format, "fp32", sha256 * 64, 9, "TEXT_EMBEDDING", {}, 1.0, 1.0, {"torch": torch})
    return ModelLock("m", source * 64, 1, 256, "cosinesimil", (bundle,), (Probe("a text", (x,)),))


BOTH = replace(lock(), bundles=(*lock().bundles, *lock("torch_script", "b").bundles))


def test_the_first_export_writes_the_lock() -> None:
    assert entered(None, lock(), silent, update=False) == lock()


def test_the_same_bytes_leave_the_lock_as_it_is_whatever_the_last_bit_of_a_vector() -> None:
    old = lock()
    assert entered(old, lock(x=0.5), silent, update=False) is old
    assert entered(old, lock(torch="2.14.0"), silent, update=True) is old


def test_the_same_bytes_from_other_files_or_for_another_space_are_entered_on_purpose_alone() -> None:
    events: list[Event] = []
    for fresh in (lock(source="t"), replace(lock(), space_type="innerproduct")):
        assert entered(BOTH, fresh, events.append, update=False) is BOTH
        assert entered(BOTH, fresh, silent, update=True) == fresh
    assert [type(event) for event in events] == [Warned, Warned]
    assert "space_type: cosinesimil -> innerproduct; --update-lock" in str(events[1])


def test_an_apply_that_needs_the_bytes_alone_is_not_told_of_other_files() -> None:
    events: list[Event] = []
    assert entered(BOTH, lock(source="t"), events.append, update=False, measured=False) is BOTH
    assert events == []


def test_another_format_joins_the_lock_in_the_same_order_whoever_comes_first() -> None:
    assert entered(lock(), lock("torch_script", "b"), silent, update=False) == BOTH
    assert entered(lock("torch_script", "b"), lock(), silent, update=False) == BOTH


def test_other_bytes_are_refused_and_the_message_says_which_version_changed() -> None:
    with pytest.raises(ExportError, match=r"torch: 2\.13\.0 -> 2\.14\.0") as refused:
        entered(lock(), lock(sha256="c", torch="2.14.0"), silent, update=False)
    assert "--update-lock" in (refused.value.hint or "")


def test_other_bytes_from_the_same_versions_point_at_the_machine() -> None:
    with pytest.raises(ExportError, match="another kind of machine"):
        entered(lock(), lock(sha256="c"), silent, update=False)


def test_another_source_is_refused_even_for_a_format_that_is_new() -> None:
    with pytest.raises(ExportError, match="source files: ssssssssssss -> tttttttttttt"):
        entered(lock(), lock("torch_script", "b", "t"), silent, update=False)


def test_an_update_on_purpose_replaces_one_bundle_and_keeps_the_other() -> None:
    new = entered(BOTH, lock(sha256="c"), silent, update=True)
    assert [bundle.sha256[0] for bundle in new.bundles] == ["c", "b"]


def test_an_update_from_another_source_drops_what_came_from_the_old_one() -> None:
    events: list[Event] = []
    new = entered(BOTH, lock(sha256="c", source="t"), events.append, update=True)
    assert new == lock(sha256="c", source="t")
    assert [type(event) for event in events] == [Warned]


def pooled(y: float, format: Format = "onnx", sha256: str = "c") -> ModelLock:
    """A lock as another pooling of the same source makes it: `y` is the second number of its vector."""
    return replace(lock(format, sha256), dimension=2, probes=(Probe("a text", (1.0, y)),))


def test_an_update_to_another_pooling_takes_the_vectors_along_and_drops_what_gives_others() -> None:
    old = replace(pooled(0.0, sha256="a"), bundles=BOTH.bundles)
    assert entered(old, pooled(1.0), silent, update=True) == pooled(1.0)


def test_another_pooling_is_refused_even_for_a_format_that_is_new() -> None:
    with pytest.raises(ExportError, match=r"the vector of 'a text': pooling, normalize"):
        entered(pooled(0.0, sha256="a"), pooled(1.0, "torch_script"), silent, update=False)


def test_vectors_that_were_not_normalised_before_are_other_vectors() -> None:
    old, new = pooled(0.0, sha256="a"), replace(pooled(0.0), probes=(Probe("a text", (9.0, 0.0)),))
    assert entered(old, new, silent, update=True).probes == new.probes


def test_the_last_bits_of_another_processor_are_no_other_vectors() -> None:
    old = replace(pooled(0.0, sha256="a"), bundles=BOTH.bundles)
    new = entered(old, pooled(1e-4), silent, update=True)
    assert (len(new.bundles), new.probes) == (2, old.probes)


def test_changed_probes_are_entered_although_the_bytes_are_the_same() -> None:
    fresh = replace(lock(), probes=(Probe("another text", (1.0,)),))
    assert entered(BOTH, fresh, silent, update=False) == replace(BOTH, probes=fresh.probes)


def test_an_export_for_its_bytes_alone_does_not_take_the_recall_out_of_the_lock() -> None:
    old = replace(lock(), bundles=(replace(lock().bundles[0], recall=0.98),))
    fresh = replace(lock(), probes=(Probe("another text", (1.0,)),))
    assert entered(old, fresh, silent, update=False, measured=False) is old


def test_a_lock_keeps_a_few_vectors_only() -> None:
    many = replace(lock(), probes=tuple(Probe(str(n), (1.0,)) for n in range(99)))
    assert len(entered(None, many, silent, update=False).probes) == MOST_PROBES
