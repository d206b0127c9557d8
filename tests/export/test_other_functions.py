"""Cross-encoders and sparse encoders: what a bundle answers is what sentence-transformers does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from osform.core.events import silent
from osform.core.models import Format
from osform.errors import ExportError
from osform.export.jobs import Answer, Job
from osform.export.work import carry_out
from tests import families

pytestmark = [
    # torch says that TorchScript is deprecated; it is what the server loads.
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning"),
]
PAIRS = tuple(json.dumps([question, text]) for question in families.PROBES[:2] for text in families.PROBES)


def cross_encoder(source: Path, format: Format) -> Answer:
    bundle = str(source.with_suffix(".zip"))
    how = Job(str(source), format, "fp32", bundle, PAIRS, make=True, function_name="text_similarity")
    return carry_out(how, silent)


def sparse_encoder(source: Path, format: Format) -> Answer:
    bundle = str(source.with_suffix(".zip"))
    how = Job(str(source), format, "fp32", bundle, families.PROBES, make=True, function_name="sparse_encoding")
    return carry_out(how, silent)


@pytest.mark.parametrize("format", ["torch_script", "onnx"])
@pytest.mark.parametrize("family", families.FAMILIES)
def test_a_cross_encoder_scores_as_its_source(tmp_path: Path, family: str, format: Format) -> None:
    answer = cross_encoder(families.cross_encoder(tmp_path / "weights", family), format)
    assert min(answer.cosines) > 0.99999
    assert (answer.dimension, answer.function_name) == (1, "TEXT_SIMILARITY")
    assert len({vector[0] for vector in answer.vectors if isinstance(vector, tuple)}) == len(PAIRS)


@pytest.mark.parametrize("format", ["torch_script", "onnx"])
@pytest.mark.parametrize("family", families.FAMILIES)
def test_a_sparse_encoder_weighs_tokens_as_its_source(tmp_path: Path, family: str, format: Format) -> None:
    answer = sparse_encoder(families.sparse_encoder(tmp_path / "weights", family), format)
    assert min(answer.cosines) > 0.999999
    assert (answer.model_config, answer.function_name) == ({}, "SPARSE_ENCODING")
    assert all(isinstance(vector, dict) and vector and "[CLS]" not in vector for vector in answer.vectors)


def test_a_classifier_with_several_labels_is_no_cross_encoder(tmp_path: Path) -> None:
    source = families.bare(tmp_path / "weights", "bert", "AutoModelForSequenceClassification", num_labels=3)
    with pytest.raises(ExportError, match="a cross-encoder with 3 labels, expected one"):
        cross_encoder(source, "onnx")
