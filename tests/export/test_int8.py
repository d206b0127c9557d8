"""Models in 8 bits: what is in the graph, that it repeats, that it is near its source, and what it may not become."""

from __future__ import annotations

import logging
import os
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest
import torch
from onnx import numpy_helper

from osform.core.events import silent
from osform.core.models import Int8, PackagedModel
from osform.errors import ExportError
from osform.export import encoder, sources
from osform.export.corpus import docstrings
from osform.export.jobs import Answer
from osform.export.server import serve
from osform.export.smoothing import smooth
from osform.export.work import carry_out
from osform.files.models import load_model
from osform.flows.exporting import export_model
from tests.export.test_encoders import job, pytestmark  # noqa: F401 - the same warnings of torch

Tiny = Callable[..., PackagedModel]
MEASURED = logging.getLogger("measured")  # make soak shows it
ROOT = Path(__file__).parents[2]
DENSE = "layer.0.output.dense"


def exported(model: PackagedModel, folder: Path, **int8: Any) -> Answer:
    return carry_out(replace(job(model, "onnx", folder), precision="int8", int8=Int8(**int8)), silent)


def graph(folder: Path) -> onnx.ModelProto:
    with zipfile.ZipFile(folder / "onnx.zip") as archive:
        return onnx.load_from_string(archive.read("model.onnx"))


def operators(folder: Path) -> Counter[str]:
    return Counter(node.op_type for node in graph(folder).graph.node)


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("architecture", ["bert", "distilbert", "mpnet"])
def test_an_encoder_in_8_bits_is_near_its_source(tiny: Tiny, tmp_path: Path, architecture: str) -> None:
    answer = exported(tiny(architecture=architecture), tmp_path)
    assert min(answer.cosines) > 0.98
    assert "MatMulInteger" in operators(tmp_path)


def test_attention_and_normalisation_are_fused(tiny: Tiny, tmp_path: Path) -> None:
    exported(tiny(), tmp_path)
    found = operators(tmp_path)
    assert (found["QAttention"], found["SkipLayerNormalization"], found["QEmbedLayerNormalization"]) == (2, 4, 1)
    assert found["Softmax"] == found["LayerNormalization"] == 0


def test_the_graph_is_one_that_the_servers_runtime_loads(tiny: Tiny, tmp_path: Path) -> None:
    exported(tiny(), tmp_path)
    model = graph(tmp_path)
    assert model.ir_version <= 9
    assert {entry.domain: entry.version for entry in model.opset_import} == {"": 17, "com.microsoft": 1}


@pytest.mark.parametrize(("reduce_range", "most"), [(True, 64), (False, 127)])
def test_one_bit_of_the_weights_is_left_so_that_no_processor_overflows(
    tiny: Tiny, tmp_path: Path, reduce_range: bool, most: int
) -> None:
    exported(tiny(), tmp_path, reduce_range=reduce_range)
    weights = [numpy_helper.to_array(each) for each in graph(tmp_path).graph.initializer]
    assert max(int(abs(each.astype(int)).max()) for each in weights if each.dtype == "int8" and each.size > 1) == most


def test_a_layer_that_is_kept_stays_in_fp32(tiny: Tiny, tmp_path: Path) -> None:
    model = tiny()
    exported(model, tmp_path)
    before = operators(tmp_path)
    exported(model, tmp_path, keep=(DENSE,))
    after = operators(tmp_path)
    assert (after["MatMul"], after["MatMulInteger"]) == (before["MatMul"] + 1, before["MatMulInteger"] - 1)


def test_a_layer_that_is_not_there_cannot_be_kept(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"int8\.keep: layer\.7\.output\.dense, and no linear layer's name ends so"):
        exported(tiny(), tmp_path, keep=("layer.7.output.dense",))


def test_smoothing_does_not_change_what_the_model_computes(tiny: Tiny, tmp_path: Path) -> None:
    loaded = encoder.load(job(tiny(), "onnx", tmp_path))
    (before,) = loaded.encode(["the old harbour"])
    assert f"encoder.{DENSE}" in smooth(loaded.model, 0.75)
    (after,) = loaded.encode(["the old harbour"])
    assert float(before @ after) == pytest.approx(1, abs=1e-6)


def test_the_bytes_are_the_same_on_any_number_of_threads(
    tiny: Tiny, tmp_path: Path, threads: Callable[[int], None]
) -> None:
    model, found = tiny(intermediate_size=256), []
    for count in (1, 3):
        threads(count)
        exported(model, tmp_path)
        found.append((tmp_path / "onnx.zip").read_bytes())
    assert found[0] == found[1]


def test_what_was_done_stands_in_the_recipe(tiny: Tiny, tmp_path: Path) -> None:
    recipe = exported(tiny(), tmp_path, keep=(DENSE,), smooth=0).recipe
    assert recipe["in fp32"] == DENSE
    assert recipe["weights"] == "a scale for each column, 7 of 8 bits used, on any processor"
    assert {"onnxruntime", "torch", "opset"} <= set(recipe)


def test_neighbours_in_the_corpus_are_counted(tiny: Tiny, tmp_path: Path) -> None:
    texts = tuple(f"{a} {b}" for a in ("cat", "dog", "sofa") for b in ("beach", "harbour", "word", "one", "another"))
    model = tiny()
    answer = carry_out(replace(job(model, "onnx", tmp_path), precision="int8", corpus=texts), silent)
    assert answer.recall is not None
    assert 0.5 < answer.recall <= 1
    assert len(answer.cosines) == len(model.spec.probes) + 2 + len(texts)


def test_minilm_in_8_bits_comes_out_as_its_lock_promises(tmp_path: Path) -> None:
    model = load_model(ROOT / "models" / "all-MiniLM-L6-v2")
    done = export_model(model, "onnx", "int8", cache=tmp_path, thorough=False, report=silent, environment=os.environ)
    assert not done.lock_written
    assert done.bundle.bytes < 30e6


@pytest.mark.soak
def test_minilm_in_8_bits_is_as_near_to_its_source_as_its_lock_says(tmp_path: Path) -> None:
    model = load_model(ROOT / "models" / "all-MiniLM-L6-v2")
    done = export_model(model, "onnx", "int8", cache=tmp_path, report=silent, environment=os.environ)
    assert model.lock is not None
    promised = model.lock.bundle("onnx", "int8")
    assert promised is not None
    assert done.agreement.mean == pytest.approx(promised.cosine_mean, abs=0.001)
    assert done.agreement.recall == pytest.approx(promised.recall, abs=0.01)


def first_sentence(text: str) -> str:
    return text.partition(": ")[2].rpartition(" (")[0].partition(". ")[0]


def name_in_words(text: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", text.partition(": ")[0]).lower()


def found_among_ten(texts: Sequence[Any], questions: Sequence[Any], own: Sequence[int]) -> float:
    """The share of the questions that have their own text among the ten nearest."""
    near = numpy.argsort(-(numpy.stack(questions) @ numpy.stack(texts).T), axis=1)[:, :10]
    return sum(number in row for number, row in zip(own, near, strict=True)) / len(own)


@pytest.mark.soak
def test_minilm_in_8_bits_finds_docstrings_as_often_as_fp32_does(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    model = load_model(ROOT / "models" / "all-MiniLM-L6-v2")
    done = export_model(model, "onnx", "int8", cache=tmp_path, thorough=False, report=silent, environment=os.environ)
    in_8_bits = serve(done.path, "onnx", done.bundle.model_config)
    in_fp32 = SentenceTransformer(str(sources.locate(model.spec.source, Path(model.spec.folder), silent)), device="cpu")
    texts, own = docstrings(2000), range(0, 2000, 4)
    before, after = list(in_fp32.encode(texts)), [in_8_bits(text) for text in texts]
    for asked in (first_sentence, name_in_words):
        questions = [asked(texts[number]) for number in own]
        fp32 = found_among_ten(before, list(in_fp32.encode(questions)), own)
        int8 = found_among_ten(after, [in_8_bits(question) for question in questions], own)
        MEASURED.info("recall@10, %s: fp32 %.4f, 8 bits %.4f, ratio %.4f", asked.__name__, fp32, int8, int8 / fp32)
        assert int8 >= 0.97 * fp32
