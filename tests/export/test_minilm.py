"""all-MiniLM-L6-v2 with its real weights: what is in a bundle, that it repeats, and that it agrees with its source."""

from __future__ import annotations

import io
import json
import os
import shutil
import site
import zipfile
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch
from click.testing import CliRunner

from osform.cli.model import model as command
from osform.core.events import silent
from osform.core.models import FORMATS, Format, PathSource
from osform.errors import ExportError
from osform.export import sources
from osform.export.zips import write_zip
from osform.files import bundles
from osform.files.models import load_model
from osform.flows.exporting import export_model, obtain_bundle, verify_model
from tests.export.conftest import L6, REPOSITORY

pytestmark = [
    # torch says that TorchScript is deprecated; it is what the server loads.
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning"),
]


def entries(l6: L6, format: Format) -> dict[str, bytes]:
    with zipfile.ZipFile(l6.exported[format].path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def traced(l6: L6) -> torch.jit.ScriptModule:
    return torch.jit.load(io.BytesIO(entries(l6, "torch_script")["model.pt"]))


@pytest.mark.parametrize("format", FORMATS)
def test_every_probe_has_a_cosine_of_one_to_sentence_transformers(l6: L6, format: Format) -> None:
    assert l6.exported[format].agreement.least > 0.999999
    assert l6.exported[format].lock.dimension == 384


@pytest.mark.parametrize("format", FORMATS)
def test_the_lock_of_the_repository_promises_what_comes_out(l6: L6, format: Format) -> None:
    committed = load_model(REPOSITORY / "models" / l6.model.name).lock
    assert committed is not None
    assert l6.exported[format].bundle.sha256 == getattr(committed.bundle(format, "fp32"), "sha256", None)
    assert committed.source_sha256 == l6.exported[format].lock.source_sha256


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_elsewhere_is_the_same_bytes(
    l6: L6, format: Format, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another working directory, weights and libraries under other paths, another cache, another process."""
    monkeypatch.chdir(tmp_path)
    libraries = tmp_path / "libraries"
    libraries.symlink_to(site.getsitepackages()[0])
    weights = tmp_path / "weights"
    shutil.copytree(sources.locate(l6.model.spec.source, tmp_path, silent), weights)
    model = replace(l6.model, spec=replace(l6.model.spec, source=PathSource(str(weights))))
    environment = {**os.environ, "PYTHONPATH": str(libraries), "LC_ALL": "C", "TZ": "Asia/Tokyo"}
    again = export_model(model, format, "fp32", cache=tmp_path, report=silent, environment=environment)
    assert again.bundle.sha256 == l6.exported[format].bundle.sha256
    assert not again.lock_written


@pytest.mark.parametrize("format", FORMATS)
def test_no_path_of_this_machine_is_in_a_bundle(l6: L6, format: Format) -> None:
    for content in entries(l6, format).values():
        assert b"site-packages" not in content
        assert str(Path.home()).encode() not in content
        assert b"osform.export" not in content


@pytest.mark.parametrize("format", FORMATS)
def test_the_tokenizer_cuts_where_the_model_does_and_does_not_pad(l6: L6, format: Format) -> None:
    tokenizer = json.loads(entries(l6, format)["tokenizer.json"])
    assert tokenizer["truncation"]["max_length"] == 256
    assert tokenizer["padding"] is None


def test_torch_script_takes_one_dictionary_and_answers_with_one_key(l6: L6) -> None:
    ids = torch.tensor([[101, 7592, 102]])
    answer = traced(l6)({"input_ids": ids, "attention_mask": torch.ones_like(ids)})
    assert {key: tuple(value.shape) for key, value in answer.items()} == {"sentence_embedding": (1, 384)}


def test_torch_script_has_no_operator_that_opensearch_2_lacks(l6: L6) -> None:
    assert "scaled_dot_product_attention" not in str(traced(l6).inlined_graph)


def test_torch_script_has_no_records_of_where_it_was_made_and_its_tensors_are_aligned(l6: L6) -> None:
    archive = zipfile.ZipFile(io.BytesIO(entries(l6, "torch_script")["model.pt"]))
    assert not [name for name in archive.namelist() if name.endswith((".debug_pkl", "serialization_id"))]
    for entry in archive.infolist():
        start = entry.header_offset + 30 + len(entry.filename) + len(entry.extra)
        assert start % 64 == 0, entry.filename


def test_onnx_is_what_onnxruntime_1_16_loads_and_djl_sends(l6: L6) -> None:
    graph = onnx.load_from_string(entries(l6, "onnx")["model.onnx"])
    assert graph.ir_version <= 9
    assert [(entry.domain, entry.version) for entry in graph.opset_import] == [("", 17)]
    assert [entry.name for entry in graph.graph.input] == ["input_ids", "attention_mask", "token_type_ids"]
    assert [entry.name for entry in graph.graph.output] == ["sentence_embedding"]


def test_model_config_pools_in_the_graph_and_never_on_the_server(l6: L6) -> None:
    assert l6.exported["onnx"].bundle.model_config == {
        "model_type": "bert",
        "embedding_dimension": 384,
        "framework_type": "sentence_transformers",
        "model_max_length": 256,
        "pooling_mode": "CLS",
        "normalize_result": False,
    }
    assert "pooling_mode" not in l6.exported["torch_script"].bundle.model_config


def test_the_locks_vectors_are_those_of_the_source(l6: L6) -> None:
    lock = l6.model.lock
    assert lock is not None
    by_text = {probe.text: torch.tensor(probe.vector) for probe in lock.probes}
    ids = torch.tensor([[101, 102]])
    empty = traced(l6)({"input_ids": ids, "attention_mask": torch.ones_like(ids)})["sentence_embedding"][0]
    assert torch.cosine_similarity(by_text[""], empty, dim=0) > 0.9999999
    assert len(by_text) == len(lock.probes) == 16


def test_a_bundle_with_another_limit_does_not_verify(l6: L6, tmp_path: Path) -> None:
    """The tokenizer.json that the weights come with: cut at 128 tokens, where the model reads 256."""
    parts = entries(l6, "onnx")
    parts["tokenizer.json"] = parts["tokenizer.json"].replace(b'"max_length":256', b'"max_length":128')
    write_zip(str(tmp_path / "made.zip"), parts.items())
    sha256, _ = bundles.store(tmp_path, tmp_path / "made.zip")
    assert l6.model.lock is not None
    bundle = replace(l6.exported["onnx"].bundle, sha256=sha256)
    model = replace(l6.model, lock=replace(l6.model.lock, bundles=(bundle,)))
    with pytest.raises(ExportError, match="disagrees with its source") as refused:
        verify_model(model, "onnx", "fp32", cache=tmp_path, report=silent, environment=os.environ)
    assert "The picture shows a narrow street" in refused.value.message
    assert "A dog runs" not in refused.value.message


def test_a_bundle_that_nobody_has_is_exported_when_it_is_needed(l6: L6, tmp_path: Path) -> None:
    path = obtain_bundle(l6.model, "onnx", "fp32", cache=tmp_path, place=None, report=silent, environment=os.environ)
    assert bundles.sha256_of(path) == l6.exported["onnx"].bundle.sha256


def test_the_command_line_verifies_and_lists(l6: L6) -> None:
    where = ["--models", str(Path(l6.model.spec.folder).parent), "--cache", str(l6.cache), "--format", "json"]
    verified = CliRunner().invoke(command, ["verify", l6.model.name, "--as", "torch_script", *where])
    assert json.loads(verified.stdout)["cosine_min"] > 0.999999
    listed = json.loads(CliRunner().invoke(command, ["list", *where]).stdout)
    assert [(row["format"], row["exported"], row["cached"]) for row in listed] == [
        ("torch_script", True, True),
        ("onnx", True, True),
        ("onnx", False, False),  # in 8 bits: tests/export/test_int8.py
    ]


def test_the_command_line_exports_one_format_as_one_line_of_json(l6: L6) -> None:
    where = ["--models", str(Path(l6.model.spec.folder).parent), "--cache", str(l6.cache), "--format", "json"]
    done = CliRunner().invoke(command, ["export", l6.model.name, "--as", "onnx", "--precision", "fp32", *where])
    answer = json.loads(done.stdout)
    assert answer["sha256"] == l6.exported["onnx"].bundle.sha256
    assert answer["bytes"] == Path(answer["file"]).stat().st_size
    assert not answer["lock_written"]
