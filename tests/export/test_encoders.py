"""Encoders of other shapes than MiniLM's, tiny and of random weights, laid out as on the Hub.

The export runs in this process here, without the fresh one around it, so that a test takes a second.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from osform.core.events import silent
from osform.core.models import Format, HubSource, PackagedModel
from osform.errors import ExportError
from osform.export import sources
from osform.export.jobs import Answer, Job
from osform.export.work import carry_out
from tests import families
from tests.export.conftest import PROBES, build

Tiny = Callable[..., PackagedModel]
COMMIT = "0123456789abcdef0123456789abcdef01234567"

pytestmark = [
    # torch says that TorchScript is deprecated; it is what the server loads.
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning"),
]


def job(model: PackagedModel, format: Format, folder: Path) -> Job:
    spec = model.spec
    return Job(
        source=str(sources.locate(spec.source, Path(spec.folder), silent)),
        format=format,
        precision="fp32",
        bundle=str(folder / f"{format}.zip"),
        texts=spec.probes,
        make=True,
        pooling=spec.pooling,
        normalize=spec.normalize,
        max_length=spec.max_length,
    )


def exported(model: PackagedModel, format: Format, folder: Path) -> Answer:
    return carry_out(job(model, format, folder), silent)


@pytest.mark.parametrize("format", ["torch_script", "onnx"])
@pytest.mark.parametrize("architecture", ["bert", "distilbert", "mpnet"])
def test_an_encoder_with_a_dense_layer_agrees_with_its_source(
    tiny: Tiny, tmp_path: Path, architecture: str, format: Format
) -> None:
    answer = exported(tiny(architecture=architecture), format, tmp_path)
    assert min(answer.cosines) > 0.999999
    assert answer.dimension == 16
    assert answer.model_config["model_type"] == architecture


@pytest.mark.parametrize(("format", "said"), [("torch_script", False), ("onnx", True)])
def test_an_onnx_bundle_tells_the_engine_to_use_one_thread_a_call(
    tiny: Tiny, tmp_path: Path, format: Format, said: bool
) -> None:
    exported(tiny(), format, tmp_path)
    with zipfile.ZipFile(tmp_path / f"{format}.zip") as archive:
        lines = archive.read("serving.properties").split() if "serving.properties" in archive.namelist() else []
    assert (b"option.intraOpNumThreads=1" in lines) == said


def test_a_plain_transformer_needs_its_pooling_said(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"no modules\.json") as refused:
        exported(tiny(modules=False), "onnx", tmp_path)
    assert "pooling: mean" in (refused.value.hint or "")


@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "weighted_mean", "last_token"])
def test_a_plain_transformer_is_pooled_as_model_yaml_says(tiny: Tiny, tmp_path: Path, pooling: str) -> None:
    answer = exported(tiny(f"pooling: {pooling}\nnormalize: true\n", modules=False), "onnx", tmp_path)
    assert min(answer.cosines) > 0.999999
    assert math.hypot(*answer.vectors[0]) == pytest.approx(1)


def test_pooling_may_be_said_again_in_the_servers_words(tmp_path: Path) -> None:
    source = families.build(tmp_path / "weights", "bert", pooling="weightedmean")
    said = Job(str(source), "onnx", "fp32", str(tmp_path / "onnx.zip"), PROBES, make=True, pooling="weighted_mean")
    assert min(carry_out(said, silent).cosines) > 0.999999


def test_pooling_that_contradicts_the_source_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"model\.yaml says pooling: cls, the source's modules\.json mean"):
        exported(tiny("pooling: cls\n"), "onnx", tmp_path)


def test_a_shorter_limit_cuts_source_and_bundle_alike(tiny: Tiny, tmp_path: Path) -> None:
    answer = exported(tiny("max_length: 8\n"), "onnx", tmp_path)
    assert answer.max_length == 8
    assert min(answer.cosines) > 0.999999


def test_a_model_that_reads_more_than_the_server_is_refused_until_that_is_accepted(tiny: Tiny, tmp_path: Path) -> None:
    model = tiny(length=1024)
    with pytest.raises(ExportError, match="up to 1024 tokens") as refused:
        exported(model, "onnx", tmp_path)
    assert "max_length: 512" in (refused.value.hint or "")
    accepted = replace(model, spec=replace(model.spec, max_length=512))
    assert exported(accepted, "onnx", tmp_path).max_length == 512


def test_more_tokens_than_the_model_has_positions_for_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="the source reads 32 tokens at most"):
        exported(tiny("max_length: 64\n"), "onnx", tmp_path)


def test_a_model_with_a_default_prompt_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    model = tiny()
    config = tmp_path / "weights" / "config_sentence_transformers.json"
    config.write_text('{"prompts": {"query": "query: "}, "default_prompt_name": "query"}')
    with pytest.raises(ExportError, match="puts the prompt 'query' before a text"):
        exported(model, "onnx", tmp_path)


def test_weights_that_are_not_a_number_fail(tiny: Tiny, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    model = tiny()
    weights = tmp_path / "weights" / "model.safetensors"
    tensors = load_file(weights)
    save_file({name: tensor * float("nan") for name, tensor in tensors.items()}, weights, {"format": "pt"})
    from osform.flows.exporting import export_model

    with pytest.raises(ExportError, match="disagrees with its source"):
        export_model(model, "onnx", "fp32", cache=tmp_path, report=silent, environment=os.environ)
    assert list((tmp_path / "bundles").iterdir()) == []


def test_a_pinned_repository_is_found_in_the_hubs_cache_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "models--org--name"
    built = build(place / "snapshots" / COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(tmp_path))
    assert sources.locate(HubSource("org/name", COMMIT), tmp_path, silent) == built


def test_a_repository_without_a_revision_is_refused_with_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="org/name has no revision") as refused:
        sources.locate(HubSource("org/name", None), tmp_path, silent)
    assert "revision:" in (refused.value.hint or "")


def test_a_package_that_is_not_installed_is_named(tmp_path: Path) -> None:
    from osform.core.models import PackageSource

    with pytest.raises(ExportError, match="'no_such_weights', which holds the weights, is not installed"):
        sources.locate(PackageSource("no_such_weights", "model"), tmp_path, silent)


def test_the_hash_of_a_source_covers_weights_and_settings_but_not_its_documentation(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    (folder / "onnx").mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "vocab.txt"):
        (folder / name).write_text(name)
    before = sources.digest(folder)
    for name in ("README.md", "pytorch_model.bin", "onnx/model.onnx", ".gitattributes"):
        (folder / name).write_text(name)
    assert sources.digest(folder) == before
    (folder / "model.safetensors").write_text("other")
    assert sources.digest(folder) != before
