"""Where a bundle comes from when it is needed: the cache, a folder, a URL; else what can be done about it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from osform.core.events import silent
from osform.core.models import Bundle, ModelLock, ModelSpec, PackagedModel, PathSource, Tolerance
from osform.errors import ExportError, MissingExtra
from osform.files import bundles
from osform.flows.exporting import export_model, obtain_bundle, verify_model
from tests.serving import Quiet, listening

CONTENT = b"a bundle"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Folder(Quiet, SimpleHTTPRequestHandler):
    """Serves a folder."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder as a stack names it, with the bundle."""
    folder = tmp_path / "place"
    folder.mkdir()
    (folder / f"{SHA256}.zip").write_bytes(CONTENT)
    return folder


@pytest.fixture
def url(place: Path) -> Iterator[str]:
    """The same folder behind HTTP."""
    with listening(partial(Folder, directory=str(place))) as url:
        yield url


def model(folder: Path) -> PackagedModel:
    """A model with a lock, whose weights are nowhere."""
    spec = ModelSpec(
        "m", str(folder), PathSource("weights"), (("onnx", "fp32"),), {"fp32": Tolerance(0.9999)}, ("a text",)
    )
    bundle = Bundle("onnx", "fp32", SHA256, len(CONTENT), "TEXT_EMBEDDING", {}, 1.0, 1.0)
    return PackagedModel(spec, ModelLock("m", "s" * 64, 2, 256, "cosinesimil", (bundle,), ()))


def obtain(folder: Path, place: str | None) -> Path:
    return obtain_bundle(
        model(folder), "onnx", "fp32", cache=folder / "cache", place=place, report=silent, environment={}
    )


def test_the_cache_comes_first(tmp_path: Path) -> None:
    cached = bundles.path_of(tmp_path / "cache", SHA256)
    cached.parent.mkdir(parents=True)
    cached.write_bytes(CONTENT)
    assert obtain(tmp_path, "nowhere") == cached


def test_a_folder_that_the_stack_names_fills_the_cache(tmp_path: Path, place: Path) -> None:
    assert obtain(tmp_path, str(place)) == bundles.path_of(tmp_path / "cache", SHA256)
    assert bundles.find(tmp_path / "cache", SHA256)


def test_a_url_that_the_stack_names_fills_the_cache(tmp_path: Path, url: str) -> None:
    assert obtain(tmp_path, url).read_bytes() == CONTENT


def test_a_damaged_bundle_in_the_cache_is_fetched_anew(tmp_path: Path, url: str) -> None:
    obtain(tmp_path, url).write_bytes(b"damaged")
    assert obtain(tmp_path, url).read_bytes() == CONTENT


def test_bytes_that_are_not_the_locks_are_refused(tmp_path: Path, place: Path) -> None:
    (place / f"{SHA256}.zip").write_bytes(b"another bundle")
    with pytest.raises(ExportError, match="has the SHA-256"):
        obtain(tmp_path, str(place))
    assert bundles.find(tmp_path / "cache", SHA256) is None


def test_where_there_is_no_way_the_three_remedies_are_named(tmp_path: Path, url: str, place: Path) -> None:
    (place / f"{SHA256}.zip").unlink()
    with pytest.raises(ExportError, match=r"neither in .* nor in http") as failed:
        obtain(tmp_path, url)
    for remedy in ("pip install 'osform[export]'", f"copy {SHA256}.zip into", "`bundles:` in stack.yaml"):
        assert remedy in (failed.value.hint or "")


@pytest.mark.parametrize("host", ["127.0.0.1:9", "a/b@127.0.0.1:9", "[::1", "FOLDER", "FOLDER/missing"])
@pytest.mark.parametrize("content", [b"", b"another bundle", CONTENT * 2])
def test_the_password_of_a_place_is_in_no_message(
    tmp_path: Path, url: str, place: Path, host: str, content: bytes
) -> None:
    (place / f"{SHA256}.zip").write_bytes(content)
    with pytest.raises(ExportError) as failed:
        obtain(tmp_path, f"http://ana:sesame@{host.replace('FOLDER', url.removeprefix('http://'))}")
    assert "ana:***@" in failed.value.message
    assert "sesame" not in f"{failed.value}{failed.value.__cause__}"


@pytest.fixture
def without_torch(tmp_path: Path) -> dict[str, str]:
    """An environment in which importing torch fails, as in an install without the extra."""
    (tmp_path / "libraries").mkdir()
    (tmp_path / "libraries" / "sentence_transformers.py").write_text("import torch")
    (tmp_path / "libraries" / "torch.py").write_text("raise ModuleNotFoundError('No module named torch', name='torch')")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "config.json").write_text("{}")
    return {**os.environ, "PYTHONPATH": str(tmp_path / "libraries")}


def test_without_the_extra_an_export_says_what_to_install(tmp_path: Path, without_torch: dict[str, str]) -> None:
    with pytest.raises(MissingExtra, match=r"not installed \(torch\)") as missing:
        export_model(model(tmp_path), "onnx", "fp32", cache=tmp_path / "c", report=silent, environment=without_torch)
    assert missing.value.hint == "pip install 'osform[export]'"


def test_without_the_extra_a_bundle_that_nobody_has_names_the_remedies(
    tmp_path: Path, without_torch: dict[str, str]
) -> None:
    with pytest.raises(ExportError, match=r"\(torch\)") as failed:
        obtain_bundle(
            model(tmp_path), "onnx", "fp32", cache=tmp_path / "c", place=None, report=silent, environment=without_torch
        )
    assert "`bundles:` in stack.yaml" in (failed.value.hint or "")


def test_a_server_that_does_not_answer_is_an_error_with_its_url(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"http://127\.0\.0\.1:9/"):
        obtain(tmp_path, "http://127.0.0.1:9")


def test_verify_says_how_to_have_a_bundle_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no undamaged onnx fp32 bundle") as failed:
        verify_model(model(tmp_path), "onnx", "fp32", cache=tmp_path, report=silent, environment={})
    assert failed.value.hint == "osform model export m --as onnx"
