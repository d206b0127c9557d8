"""Where a model's files are: a folder, or a repository on the Hub at a revision that is known to fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from osform.errors import InputError, MissingExtra, PictureError

_FILES = ["*.json", "*.safetensors", "*.txt", "*.model"]


@dataclass(frozen=True)
class Checkpoint:
    """A model's folder, and what lines and manifest call it. ``revision`` is a commit, or a hash of the weights."""

    folder: Path
    name: str
    revision: str


def locate(
    model: str, revision: str | None, known: Mapping[str, str], *, extra: str = "caption", also: tuple[str, ...] = ()
) -> Checkpoint:
    """The files of a model: a folder where there is one of that name, else of the Hub, downloaded where need be.

    ``known`` are revisions by repository, for when none is asked; ``extra`` is what has to be installed,
    ``also`` are patterns of files that are fetched besides safetensors.
    Raises InputError for a name that is neither or that needs a revision, PictureError where the Hub has no answer.
    """
    folder = Path(model)
    if folder.is_dir():
        if revision is not None:
            raise InputError(f"--revision {revision}: {model} is a folder", hint="leave --revision out")
        return Checkpoint(folder, folder.resolve().name, digest(folder))
    if model.count("/") != 1 or model.startswith((".", "/")):
        raise InputError(f"{model}: no such folder, and no name of a repository on the Hub (owner/name)")
    wanted = revision or known.get(model)
    if wanted is None:
        raise InputError(
            f"{model}: no revision of it is known to fit the installed transformers",
            hint="name one: --revision COMMIT (main is one as well, and what it stood for is kept in the manifest)",
        )
    path = _download(model, wanted, extra, also)
    return Checkpoint(path, model, path.name)


def _download(model: str, revision: str, extra: str, also: tuple[str, ...]) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise MissingExtra(extra, "a model that looks at pictures", error) from error
    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=[*_FILES, *also]))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise PictureError(
            f"{model} at {revision} can't be downloaded: {error}",
            hint="copy the model's files into a folder and give its path; HF_HOME says where downloads are kept",
        ) from error


def settings(folder: Path, name: str) -> dict[str, Any]:
    """A JSON file of a checkpoint; empty where it is not there. Raises PictureError for what is no JSON object."""
    path = folder / name
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise PictureError(f"{path}: not JSON: {error}") from error
    if not isinstance(values, dict):
        raise PictureError(f"{path}: expected a JSON object")
    return values


def digest(folder: Path) -> str:
    """A hash of a folder's weights and configuration, as a revision: the same files are the same model.

    Weights in pickles count where there are no safetensors, as transformers reads them.
    """
    import hashlib

    weights = ".safetensors" if any(folder.glob("*.safetensors")) else ".bin"
    total = hashlib.sha256()
    for path in sorted(folder.glob("*")):
        if path.suffix in (".json", weights, ".txt", ".model") and path.is_file():
            with path.open("rb") as stream:
                total.update(path.name.encode() + b"\0" + hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()[:40]
