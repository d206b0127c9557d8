"""Models whose weights are stored in 16 bits: half the size, and as near to their source as in 32."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from osform.core.events import silent
from osform.core.models import FunctionName, PackagedModel
from osform.export.half import halved
from osform.export.jobs import Job
from osform.export.work import carry_out
from osform.files.models import load_model
from osform.flows.exporting import export_model
from tests import clips, families
from tests.export.test_encoders import job, pytestmark  # noqa: F401 - the same warnings of torch
from tests.export.test_other_functions import PAIRS

Tiny = Callable[..., PackagedModel]
ROOT = Path(__file__).parents[2]


def graph(bundle: Path) -> onnx.ModelProto:
    with zipfile.ZipFile(bundle) as archive:
        return onnx.load_from_string(archive.read("model.onnx"))


@pytest.mark.parametrize("architecture", ["bert", "distilbert", "mpnet"])
def test_an_encoder_in_16_bits_is_near_its_source(tiny: Tiny, tmp_path: Path, architecture: str) -> None:
    answer = carry_out(replace(job(tiny(architecture=architecture), "onnx", tmp_path), precision="fp16"), silent)
    assert min(answer.cosines) > 0.99999
    assert answer.recipe["weights"] == "stored in 16 bits, computed with in 32"


def test_the_graph_is_that_of_fp32_behind_casts(tiny: Tiny, tmp_path: Path) -> None:
    asked = job(tiny(), "onnx", tmp_path)
    carry_out(asked, silent)
    before = graph(Path(asked.bundle))
    carry_out(replace(asked, precision="fp16"), silent)
    after = graph(Path(asked.bundle))
    casts = len(after.graph.node) - len(before.graph.node)
    assert casts == sum(each.data_type == TensorProto.FLOAT16 for each in after.graph.initializer) > 8
    assert list(after.graph.node)[casts:] == list(before.graph.node)
    assert (after.ir_version, after.opset_import) == (before.ir_version, before.opset_import)


@pytest.mark.parametrize(("function_name", "texts"), [("text_similarity", PAIRS), ("sparse_encoding", families.PROBES)])
def test_cross_encoders_and_sparse_encoders_can_be_stored_so(
    tmp_path: Path, function_name: FunctionName, texts: tuple[str, ...]
) -> None:
    build = families.cross_encoder if function_name == "text_similarity" else families.sparse_encoder
    source = build(tmp_path / "weights", "bert")
    asked = Job(str(source), "onnx", "fp16", str(tmp_path / "b.zip"), texts, make=True, function_name=function_name)
    assert min(carry_out(asked, silent).cosines) > 0.9999


def test_the_text_tower_of_clip_can_be_stored_so(tmp_path: Path) -> None:
    source = clips.build(tmp_path / "clip")
    asked = Job(str(source), "onnx", "fp16", str(tmp_path / "b.zip"), clips.TEXTS, make=True)
    assert min(carry_out(asked, silent).cosines) > 0.9999


@pytest.mark.parametrize("odd", [70_000.0, float("inf"), float("nan")])
def test_a_tensor_that_16_bits_do_not_hold_stays(odd: float) -> None:
    good, bad = numpy.full((40, 40), 0.25, numpy.float32), numpy.full((40, 40), 0.25, numpy.float32)
    bad[3, 4] = odd
    weights = [numpy_helper.from_array(good, "good"), numpy_helper.from_array(bad, "bad")]
    small = numpy_helper.from_array(numpy.ones(40, numpy.float32), "small")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [40, 40]) for name in ("x", "y")]
    nodes = [
        helper.make_node("Add", ["x", "good"], ["a"]),
        helper.make_node("Add", ["a", "bad"], ["b"]),
        helper.make_node("Add", ["b", "small"], ["y"]),
    ]
    made = halved(helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], [*weights, small])))
    onnx.checker.check_model(made)
    kinds = {each.name: each.data_type for each in made.graph.initializer}
    assert kinds == {"good.fp16": TensorProto.FLOAT16, "bad": TensorProto.FLOAT, "small": TensorProto.FLOAT}
    first = made.graph.node[0]
    assert (first.op_type, list(first.output)) == ("Cast", ["good"])


def test_minilm_in_16_bits_is_half_as_large(tmp_path: Path) -> None:
    model = load_model(ROOT / "models" / "all-MiniLM-L6-v2")
    model = replace(model, spec=replace(model.spec, folder=str(tmp_path)), lock=None)
    done = export_model(model, "onnx", "fp16", cache=tmp_path, report=silent, environment=os.environ)
    assert done.bundle.bytes < 46e6
    assert done.bundle.cosine_min > 0.99999
