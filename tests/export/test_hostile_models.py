"""Folders and bundles of models that are out to harm: refused before anything of them is run or unpacked."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from osform.core.events import silent
from osform.core.models import Bundle, PathSource
from osform.errors import ExportError
from osform.export import places, sources
from osform.export.server import serve
from tests.bounds import harmless
from tests.certificates import Said, serving

PARTS = "sentence_transformers.sentence_transformer.modules"
BUNDLE = Bundle("onnx", "fp32", "0" * 64, 1_000, "TEXT_EMBEDDING", {}, 1.0, 1.0, {})
NAMED: dict[str, tuple[str, Any]] = {
    "a module of the folder": ("modules.json", [{"idx": 0, "path": "", "type": "harm.Harm"}]),
    "a class of Python's": ("modules.json", [{"idx": 0, "path": "", "type": "subprocess.Popen"}]),
    "a module elsewhere": ("modules.json", [{"idx": 0, "path": "../other", "type": f"{PARTS}.Transformer"}]),
    "a module at the root": ("modules.json", [{"idx": 0, "path": "/etc", "type": f"{PARTS}.Transformer"}]),
    "a route's module": ("onnx/router_config.json", {"types": {"query_0": "harm.Harm"}}),
    "a tokenizer": ("0_WordEmbeddings/wordembedding_config.json", {"tokenizer_class": "harm.Harm"}),
    "code for transformers": ("config.json", {"model_type": "bert", "auto_map": {"AutoModel": "harm.Harm"}}),
}


@pytest.mark.parametrize("name", NAMED)
def test_code_that_a_model_brings_along_is_refused(tmp_path: Path, name: str) -> None:
    file, content = NAMED[name]
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(json.dumps(content))
    (tmp_path / "harm.py").write_text("raise SystemExit('harm')")
    with harmless(), pytest.raises(ExportError, match="which would be run, or read, as soon as"):
        sources.refuse_code(tmp_path)


def test_weights_in_a_pickle_are_refused_unless_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ExportError, match="may hold a program besides weights"):
        sources.digest(tmp_path)
    monkeypatch.setenv("OSFORM_PICKLED_WEIGHTS", "1")
    assert sources.digest(tmp_path)


def test_a_pickle_is_refused_before_it_is_read_and_beside_safetensors_that_nobody_would_read(tmp_path: Path) -> None:
    for name in ("config.json", "adapter.safetensors", "pytorch_model.bin"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(ExportError, match=r"pytorch_model\.bin may hold a program besides weights"):
        sources.locate(PathSource(str(tmp_path)), tmp_path, silent)
    (tmp_path / "model.safetensors").write_text("{}")
    assert sources.locate(PathSource(str(tmp_path)), tmp_path, silent) == tmp_path


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


ZIPS: dict[str, tuple[dict[str, bytes], str]] = {
    "a path outside": ({"../../model.onnx": b"", "tokenizer.json": b"{}"}, "expected"),
    "an absolute path": ({"/tmp/model.onnx": b"", "tokenizer.json": b"{}"}, "expected"),
    "one file more": ({"model.onnx": b"", "tokenizer.json": b"{}", "harm.py": b""}, "expected"),
    "a bomb": ({"model.onnx": bytes(30 << 20), "tokenizer.json": b"{}"}, "unpacks to more than its own size"),
}


@pytest.mark.parametrize("name", ZIPS)
def test_a_bundle_that_is_no_bundle_is_refused_and_not_unpacked(tmp_path: Path, name: str) -> None:
    files, said = ZIPS[name]
    path = zipped(tmp_path / "a.zip", files)
    with harmless(), pytest.raises(ExportError, match=said):
        serve(path, "onnx", {})
    assert [each.name for each in tmp_path.iterdir()] == ["a.zip"]


def test_a_place_that_sends_more_than_the_lock_says_is_not_listened_to(tmp_path: Path) -> None:
    with serving(Said(body=bytes(5 << 20))) as server, pytest.raises(ExportError, match="the rest was not fetched"):
        places.fetch(server.url, BUNDLE, tmp_path / "target", silent)


def test_a_place_that_sends_other_bytes_is_not_believed(tmp_path: Path) -> None:
    with serving(Said(body=b"other bytes")) as server, pytest.raises(ExportError, match="not those of the lock"):
        places.fetch(server.url, BUNDLE, tmp_path / "target", silent)
