"""lock.yaml: what is written is what is read, and nothing is written for nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osform.core.models import Bundle, ModelLock, Probe
from osform.errors import SpecError
from osform.files.locks import pack, read_lock, unpack, write_lock
from osform.files.models import load_models

BUNDLE = Bundle("onnx", "fp32", "a" * 64, 9, "TEXT_EMBEDDING", {"model_type": "bert"}, 1.0, 1.0, {"torch": "1e5"})
LOCK = ModelLock("m", "b" * 64, 2, 256, "cosinesimil", (BUNDLE,), (Probe("a text", (0.5, -1.0)),))
HALVES = st.floats(width=16, allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(blacklist_categories=["Cs"]))


@given(st.lists(HALVES, min_size=1, max_size=9))
def test_a_vector_survives_its_text(vector: list[float]) -> None:
    assert unpack(pack(vector)) == tuple(vector)


@given(text=st.one_of(TEXT, st.sampled_from(["", "no", "1e5", "null", "0x1f", "a: b", "# c", "\ttab", "🐶\u2028"])))
def test_a_lock_that_was_written_is_read_the_same(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("m") / "lock.yaml"
    lock = ModelLock("m", "b" * 64, 2, 256, "cosinesimil", (BUNDLE,), (Probe(text, (0.5, -1.0)),))
    write_lock(path, lock)
    assert read_lock(path, "m") == lock


NUMBERS = st.integers(-(10**6), 10**6).map(lambda number: number / 1000)  # no more digits than are written


@given(score=NUMBERS, weights=st.dictionaries(TEXT, NUMBERS, max_size=4))
def test_a_score_and_weights_survive_their_text(
    tmp_path_factory: pytest.TempPathFactory, score: float, weights: dict[str, float]
) -> None:
    path = tmp_path_factory.mktemp("m") / "lock.yaml"
    for name, answer in (("TEXT_SIMILARITY", (score,)), ("SPARSE_ENCODING", weights)):
        bundle = replace(BUNDLE, function_name=name, model_config={})
        lock = ModelLock("m", "b" * 64, 1, 256, "none", (bundle,), (Probe("a text", answer),))
        write_lock(path, lock)
        assert read_lock(path, "m") == lock


def test_writing_the_same_again_touches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock.yaml"
    assert write_lock(path, LOCK)
    before = path.stat().st_mtime_ns
    assert not write_lock(path, LOCK)
    assert path.stat().st_mtime_ns == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["lock.yaml"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("dimension: 2", "dimension: 3", r"lock.yaml:\d+ probes\[0\].vector: 2 numbers, but dimension is 3"),
        (pack((0.5, -1.0)), "!!", "not base64 of half-precision floats"),
        ('name: "m"', 'name: "n"', "'n', but the folder is 'm'"),
        ("sha256: ", "sha265: ", "did you mean sha256"),
        ("version: 1", "version: 2", "2, expected 1"),
    ],
)
def test_an_edited_lock_is_refused_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "lock.yaml"
    write_lock(path, LOCK)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(SpecError, match=said):
        read_lock(path, "m")


def test_the_locks_of_this_repository_hold_what_their_models_promise() -> None:
    for model in load_models(Path(__file__).parents[2] / "models").checked().values():
        if model.lock:
            assert [(b.format, b.precision) for b in model.lock.bundles] == sorted(
                model.spec.exports, key=lambda each: (each[1], each[0])
            )
            assert tuple(probe.text for probe in model.lock.probes) == model.spec.probes[:16]
            assert all(
                bundle.cosine_min >= model.spec.tolerance[bundle.precision].least for bundle in model.lock.bundles
            )
