"""Encoders of other shapes than MiniLM's, tiny and of random weights, laid out as on the Hub.

The export runs in this process here, without the fresh one around it, so that a test takes a second.
"""

from __future__ import annotations

import json
import math
import os
import resource
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from osform.core.events import Event, Note, silent
from osform.core.models import Format, HubSource, PackagedModel
from osform.errors import ExportError
from osform.export import sources
from osform.export.jobs import Answer, Job
from osform.export.work import carry_out
from osform.files.models import load_model
from osform.flows.exporting import export_model
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
    with pytest.raises(ExportError, match="disagrees with its source"):
        export_model(model, "onnx", "fp32", cache=tmp_path, report=silent, environment=os.environ)
    assert list((tmp_path / "bundles").iterdir()) == []


DAMAGED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "cut off": ("model.safetensors", lambda content: content[:-9]),
    "a pointer of Git LFS": ("model.safetensors", lambda _: b"version https://git-lfs.github.com/spec/v1\n"),
    "no JSON": ("config.json", lambda content: content[:-9]),
    "no tokenizer": ("tokenizer.json", lambda content: content[:-9]),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_file_of_the_source_that_is_damaged_is_a_sentence(tiny: Tiny, tmp_path: Path, name: str) -> None:
    model, (file, damage) = tiny(), DAMAGED[name]
    path = tmp_path / "weights" / file
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ExportError, match=r"sentence-transformers can't load .*weights") as refused:
        exported(model, "onnx", tmp_path)
    assert "one may be cut off" in (refused.value.hint or "")


@pytest.fixture
def snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An encoder with a Dense layer, as a snapshot in the hub's cache; the hub itself can't be reached."""
    for module in ("huggingface_hub.constants", "huggingface_hub._snapshot_download.constants"):
        monkeypatch.setattr(f"{module}.HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr(f"{module}.ENDPOINT", "http://127.0.0.1:9")
    return build(tmp_path / "models--org--name" / "snapshots" / COMMIT)


def test_a_pinned_repository_is_found_in_the_hubs_cache_without_a_network(snapshot: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    assert sources.locate(HubSource("org/name", COMMIT), tmp_path, events.append) == snapshot
    assert events == []


@pytest.mark.parametrize("file", ["model.safetensors", "2_Dense/model.safetensors", "1_Pooling/config.json", "a shard"])
def test_the_rest_of_a_repository_is_fetched_where_the_cache_has_a_part_of_it(
    snapshot: Path, tmp_path: Path, file: str
) -> None:
    if file == "a shard":
        shards = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
        (snapshot / "model.safetensors.index.json").write_text(json.dumps(shards))
    else:
        (snapshot / file).unlink()
    events: list[Event] = []
    sources.locate(HubSource("org/name", COMMIT), tmp_path, events.append)
    assert events == [Note(f"fetching huggingface org/name@{COMMIT}")]


def test_a_repository_whose_name_cannot_be_one_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"model\.yaml: .*org/na--me"):
        sources.locate(HubSource("org/na--me", COMMIT), tmp_path, silent)


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


def test_two_exports_at_once_are_both_in_the_lock(tiny: Tiny, tmp_path: Path) -> None:
    model = tiny()
    folder = Path(model.spec.folder)
    how: dict[str, Any] = {"cache": tmp_path, "environment": os.environ}

    def beside(event: Event) -> None:
        if event == Note("tiny: exporting onnx fp32"):
            export_model(model, "torch_script", "fp32", report=silent, **how)

    export_model(model, "onnx", "fp32", report=beside, **how)
    lock = load_model(folder).lock
    assert lock is not None
    assert [bundle.format for bundle in lock.bundles] == ["onnx", "torch_script"]


def test_a_full_disk_is_a_sentence_and_leaves_nothing_in_the_cache(tiny: Tiny, tmp_path: Path) -> None:
    model, before = tiny(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))  # a file may be no longer, as on a disk without room
    try:
        with pytest.raises(ExportError, match=r"bundle\.zip: File too large"):
            export_model(model, "onnx", "fp32", cache=tmp_path, report=silent, environment=os.environ)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((tmp_path / "bundles").iterdir()) == []
