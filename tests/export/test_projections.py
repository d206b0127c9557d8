"""A layer to fewer dimensions: fitted once, the same from then on, and in the bundle like any other."""

from __future__ import annotations

import math
import os
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from osform.core.events import silent
from osform.core.models import FORMATS, Format, PackagedModel
from osform.errors import ExportError
from osform.export.jobs import Answer, Layer
from osform.export.work import carry_out
from osform.files.models import load_model
from osform.flows.exporting import export_model, verify_model
from tests.export.test_encoders import job, pytestmark  # noqa: F401 - the same warnings of torch

Tiny = Callable[..., PackagedModel]
TEXTS = ("cat", "dog", "sofa", "beach", "old harbour", "word after word", "another dog", "on the sofa", "a", "one")
ROOT = Path(__file__).parents[2]


def exported(model: PackagedModel, folder: Path, *, format: Format = "onnx", texts: tuple[str, ...] = TEXTS) -> Answer:
    layer = Layer(str(folder / "projection.safetensors"), 4, texts)
    return carry_out(replace(job(model, format, folder), projection=layer), silent)


@pytest.mark.parametrize("format", FORMATS)
def test_a_projected_encoder_agrees_with_its_source_and_has_vectors_of_length_one(
    tiny: Tiny, tmp_path: Path, format: Format
) -> None:
    answer = exported(tiny(), tmp_path, format=format)
    assert answer.dimension == answer.model_config["embedding_dimension"] == len(answer.vectors[0]) == 4
    assert min(answer.cosines) > 0.999999
    assert math.hypot(*answer.vectors[0]) == pytest.approx(1)


def test_a_projection_is_fitted_once_and_the_bundle_repeats(tiny: Tiny, tmp_path: Path) -> None:
    model = tiny()
    exported(model, tmp_path)
    layer, bundle = tmp_path / "projection.safetensors", tmp_path / "onnx.zip"
    before = layer.stat().st_mtime_ns, bundle.read_bytes()
    exported(model, tmp_path)
    assert (layer.stat().st_mtime_ns, bundle.read_bytes()) == before


def test_a_projection_that_a_full_disk_cut_off_is_fitted_anew(tiny: Tiny, tmp_path: Path) -> None:
    model, before = tiny(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))  # a file may be no longer, as on a disk without room
    try:
        with pytest.raises(OSError, match="File too large"):
            exported(model, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert min(exported(model, tmp_path).cosines) > 0.999999


def test_without_texts_a_projection_is_fitted_on_the_vocabulary(tiny: Tiny, tmp_path: Path) -> None:
    model = tiny()
    exported(model, tmp_path, texts=())
    with pytest.raises(ExportError, match="was fitted on something else: texts vocabulary, now"):
        exported(model, tmp_path)


def test_too_few_texts_to_fit_on_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="the projection's texts are 1, expected at least 8"):
        exported(tiny(), tmp_path, texts=("cat", "cat"))


def test_more_dimensions_than_the_source_has_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    layer = Layer(str(tmp_path / "projection.safetensors"), 16, ())
    with pytest.raises(ExportError, match=r"projection\.dimension: 16, the source gives 16 numbers"):
        carry_out(replace(job(tiny(), "onnx", tmp_path), projection=layer), silent)


def test_the_lock_covers_the_weights_of_the_projection(tiny: Tiny, tmp_path: Path) -> None:
    model = tiny("projection: {dimension: 4}\n")
    export_model(model, "onnx", "fp32", cache=tmp_path, report=silent, environment=os.environ)
    locked = load_model(Path(model.spec.folder))
    assert locked.lock is not None
    assert locked.lock.dimension == 4
    weights = Path(model.spec.folder) / "projection.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ExportError, match="holds other files than those that were exported"):
        verify_model(locked, "onnx", "fp32", cache=tmp_path, report=silent, environment=os.environ)
    weights.unlink()
    with pytest.raises(ExportError, match=r"projection\.safetensors is not there"):
        verify_model(locked, "onnx", "fp32", cache=tmp_path, report=silent, environment=os.environ)


@pytest.mark.soak
def test_the_model_of_256_dimensions_comes_out_as_its_lock_promises(tmp_path: Path) -> None:
    model = load_model(ROOT / "models" / "all-MiniLM-L6-v2-256")
    done = export_model(model, "onnx", "fp32", cache=tmp_path, report=silent, environment=os.environ)
    assert done.lock.dimension == 256
    assert not done.lock_written
