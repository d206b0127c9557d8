"""The gate: what is near enough to its source, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from osform.core.models import ModelSpec, PathSource, Tolerance
from osform.errors import ExportError
from osform.export.jobs import Answer, Job
from osform.flows.agreeing import LEAST_CORPUS, Agreement, agreement, corpus_of

TOLERANCE = Tolerance(0.9, 0.98, 0.95)
SPEC = ModelSpec("m", "models/m", PathSource("w"), (("onnx", "int8"),), {"int8": TOLERANCE}, ("a text",))
JOB = Job("w", "onnx", "int8", "b.zip", ("a text",), make=True, corpus=("one", "two"))


def answer(*cosines: float, recall: float | None = 0.97) -> Answer:
    return Answer(1, 8, "l2", "TEXT_EMBEDDING", {}, {}, cosines, ((1.0,),), recall)


def test_what_is_near_enough_is_told_rounded() -> None:
    found = agreement(SPEC, JOB, answer(1, 1, 1, 0.95, 0.9512345678, recall=0.970001))
    assert found == Agreement(0.95, 0.980247, 0.97)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            answer(1, 1, 1, 0.89, 1),
            r"disagrees with its source on 1 texts, below a cosine of 0\.9:\n  0\.890000  'one'",
        ),
        (answer(1, math.nan, 1, 1, 1), "disagrees with its source on 1 texts"),
        (answer(0.97, 0.97, 0.97, 0.97, 0.97), r"has a mean cosine of 0\.970000 to its source, expected 0\.98"),
        (answer(1, 1, 1, 1, 1, recall=0.9), r"finds 0\.9000 of its source's ten nearest texts, expected 0\.95"),
        (answer(1, 1, 1, 1, 1, recall=math.nan), "finds nan of its source's"),
    ],
)
def test_what_is_too_far_is_refused_with_what_was_found_and_expected(found: Answer, said: str) -> None:
    with pytest.raises(ExportError, match=said) as refused:
        agreement(SPEC, JOB, found)
    assert refused.value.hint == "tolerance.int8 in models/m/model.yaml says what is expected"


def test_without_a_corpus_only_the_least_cosine_counts() -> None:
    found = agreement(SPEC, replace(JOB, corpus=()), answer(0.91, 0.91, 0.91, recall=None))
    assert found == Agreement(0.91, 0.91, None)


def test_a_mean_is_held_to_where_no_corpus_is_asked() -> None:
    spec = replace(SPEC, tolerance={"int8": Tolerance(0.9, 0.98)})
    with pytest.raises(ExportError, match=r"has a mean cosine of 0\.910000 to its source, expected 0\.98"):
        agreement(spec, replace(JOB, corpus=()), answer(0.91, 0.91, 0.91, recall=None))


def test_a_corpus_is_the_models_own_file_or_docstrings(tmp_path: Path) -> None:
    texts = tuple(f"text {number}" for number in range(LEAST_CORPUS))
    (tmp_path / "corpus.txt").write_text("\n".join(["# mine", *texts]))
    assert corpus_of(replace(SPEC, folder=str(tmp_path), corpus="corpus.txt")) == texts
    assert len(set(corpus_of(SPEC))) == 1000


def test_a_corpus_of_so_few_texts_that_all_are_each_others_nearest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text("\n".join(f"text {number % 11}" for number in range(1000)))
    with pytest.raises(ExportError, match=r"corpus\.txt: 11 different texts, expected at least 100"):
        corpus_of(replace(SPEC, folder=str(tmp_path), corpus="corpus.txt"))
