"""Whether a bundle agrees with its source well enough: the tolerance of model.yaml, held against what was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from osform.core.models import ModelSpec
from osform.errors import ExportError
from osform.export import corpus, jobs
from osform.export.agreement import NEAREST
from osform.files.models import read_probes

DIGITS = 6  # of a cosine in the lock; what is beyond differs from one processor to the next
MOST_SHOWN = 12
LEAST_CORPUS = 10 * NEAREST  # different texts: of eleven, the ten others are each one's nearest, whatever the model


@dataclass(frozen=True)
class Agreement:
    """Least and mean cosine to the source, and recall@10 on the corpus, None where it was not measured; rounded."""

    least: float
    mean: float
    recall: float | None


def corpus_of(spec: ModelSpec) -> tuple[str, ...]:
    """The texts of the model's corpus: its own file, or docstrings of the standard library.

    Raises ExportError where they are too few for neighbours to say anything.
    """
    place = Path(spec.folder) / spec.corpus if spec.corpus else None
    texts = read_probes(place) if place else corpus.docstrings()
    if (count := len(set(texts))) < LEAST_CORPUS:
        what = str(place) if place else "docstrings of this Python's standard library, which are the corpus"
        raise ExportError(
            f"{what}: {count} different texts, expected at least {LEAST_CORPUS}",
            hint="of a few, nearly all are each one's nearest, so that no model would fail; "
            f"name a file of more as `corpus:` in {spec.folder}/model.yaml",
        )
    return texts


def agreement(spec: ModelSpec, job: jobs.Job, answer: jobs.Answer) -> Agreement:
    """What was measured. Raises ExportError where something of it is below the tolerance, or not a number.

    Where a corpus is asked and the job had none, as for the bytes alone, the mean is of too few texts and says nothing.
    """
    asked, what = spec.tolerance[job.precision], f"{spec.name}: {job.format} {job.precision}"
    hint = f"tolerance.{job.precision} in {spec.folder}/model.yaml says what is expected"
    texts = (*job.texts, "", "(a text beyond the limit)", *job.corpus)
    bad = [
        f"  {cosine:.6f}  {text[:60]!r}"
        for cosine, text in zip(answer.cosines, texts, strict=True)
        if not cosine >= asked.least  # NaN fails too
    ]
    if bad:
        more = [f"  and {len(bad) - MOST_SHOWN} more"] if len(bad) > MOST_SHOWN else []
        found = f"{what} disagrees with its source on {len(bad)} texts, below a cosine of {asked.least}:"
        raise ExportError("\n".join([found, *bad[:MOST_SHOWN], *more]), hint=hint)
    mean = math.fsum(answer.cosines) / len(answer.cosines)
    whole = job.corpus or asked.recall is None
    if whole and asked.mean is not None and not mean >= asked.mean:
        raise ExportError(f"{what} has a mean cosine of {mean:.6f} to its source, expected {asked.mean}", hint=hint)
    if answer.recall is not None and asked.recall is not None and not answer.recall >= asked.recall:
        found = f"{what} finds {answer.recall:.4f} of its source's ten nearest texts, expected {asked.recall}"
        raise ExportError(found, hint=hint)
    recall = None if answer.recall is None else round(answer.recall, 4)
    return Agreement(round(min(answer.cosines), DIGITS), round(mean, DIGITS), recall)
