"""Where a bundle comes from when it is needed: the cache, a folder, a URL; else what can be done about it."""

from __future__ import annotations

import hashlib
import os
import resource
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


@pytest.mark.parametrize("way", ["folder", "url"])
def test_a_disk_without_room_for_a_bundle_is_a_sentence(tmp_path: Path, place: Path, url: str, way: str) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(CONTENT) - 1, before[1]))  # a file may be no longer
    try:
        with pytest.raises(ExportError, match=r"cache.*: File too large"):
            obtain(tmp_path, url if way == "url" else str(place))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((tmp_path / "cache" / "bundles").iterdir()) == []


def test_a_cache_that_is_no_folder_is_a_sentence(tmp_path: Path, place: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(ExportError, match=r"cache.*: Not a directory") as failed:
        obtain(tmp_path, str(place))
    assert "OSFORM_CACHE" in (failed.value.hint or "")


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


def libraries(folder: Path, **content: str) -> dict[str, str]:
    """An environment in which importing these modules does what is written here, and a model that would be loaded."""
    (folder / "libraries").mkdir()
    for name, text in content.items():
        (folder / "libraries" / f"{name}.py").write_text(text)
    (folder / "weights").mkdir()
    (folder / "weights" / "config.json").write_text("{}")
    path = [str(folder / "libraries"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


@pytest.fixture
def without_torch(tmp_path: Path) -> dict[str, str]:
    """An environment in which importing torch fails, as in an install without the extra."""
    raised = "raise ModuleNotFoundError('No module named torch', name='torch')"
    return libraries(tmp_path, sentence_transformers="import torch", torch=raised)


def test_an_export_that_the_system_killed_says_what_that_is_most_often(tmp_path: Path) -> None:
    killed = libraries(tmp_path, sentence_transformers="import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(ExportError, match="the export process was ended: Killed") as failed:
        export_model(model(tmp_path), "onnx", "fp32", cache=tmp_path / "c", report=silent, environment=killed)
    assert "want of memory" in (failed.value.hint or "")


def test_a_library_that_only_the_model_wants_is_not_asked_for_as_the_extra(tmp_path: Path) -> None:
    wants = "def CrossEncoder(*_, **__):\n    raise ImportError('needs the SentencePiece library')\n"
    others = "SentenceTransformer = SparseEncoder = CrossEncoder\n"
    wanting = libraries(tmp_path, sentence_transformers=wants + others)
    with pytest.raises(ExportError, match=r"can't load .*weights: ImportError: needs the SentencePiece") as failed:
        export_model(model(tmp_path), "onnx", "fp32", cache=tmp_path / "c", report=silent, environment=wanting)
    assert failed.value.hint is None


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
