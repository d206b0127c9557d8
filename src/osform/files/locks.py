"""``lock.yaml``: what was exported of a model. Read without torch or numpy, written only when something changed."""

from __future__ import annotations

import base64
import fcntl
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml as pyyaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from osform import atomic
from osform.core.document import Document
from osform.core.models import Bundle, Format, ModelLock, Precision, Probe
from osform.errors import SpecError
from osform.files import yaml
from osform.files.schema import problems_of

VERSION = 1
HEADER = """\
# Written by `osform model export`; commit it, and leave it to osform. Plans read this file and never the weights.
# A probe's vector is what the source gives for its text: base64 of little-endian half-precision floats. Half precision
# moves a cosine by some 1e-8, far less than the 1e-4 that an export may differ by.
"""
_OTHERS = """\
# Written by `osform model export`; commit it, and leave it to osform. Plans read this file and never the weights.
# Under probes is what the source makes of each text: a score, or weights by token.
"""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Cosine = Annotated[float, Field(ge=-1.0, le=1.000001)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", protected_namespaces=(), populate_by_name=True)


class _Bundle(_Strict):
    format: Format
    precision: Precision
    sha256: Sha256
    bytes: Annotated[int, Field(gt=0)]
    function_name: str
    # pydantic keeps `model_config` for itself
    config: dict[str, Any] = Field(alias="model_config")
    cosine_min: Cosine
    cosine_mean: Cosine
    recall_at_10: Annotated[float, Field(ge=0, le=1)] | None = None
    recipe: dict[str, str]


class _Probe(_Strict):
    text: str
    vector: str | None = None
    score: float | None = None
    weights: dict[str, float] | None = None


class _Lock(_Strict):
    version: Literal[1]
    name: str
    source_sha256: Sha256
    dimension: Annotated[int, Field(gt=0)]
    max_length: Annotated[int, Field(gt=0)]
    space_type: str
    bundles: list[_Bundle]
    probes: list[_Probe]


def read_lock(path: Path, name: str) -> ModelLock:
    """Read the lock of the model ``name``. Raises SpecError where the file isn't what osform writes."""
    document = yaml.load(path)
    try:
        lock = _Lock.model_validate(document.value)
    except ValidationError as error:
        raise SpecError(problems_of(document, error, _Lock)) from error
    if lock.name != name:
        message = f"{lock.name!r}, but the folder is {name!r}"
        raise SpecError([document.problem(("name",), message, _again(name))])
    return ModelLock(
        name=lock.name,
        source_sha256=lock.source_sha256,
        dimension=lock.dimension,
        max_length=lock.max_length,
        space_type=lock.space_type,
        bundles=tuple(_bundle(bundle) for bundle in lock.bundles),
        probes=tuple(
            Probe(probe.text, _answer(document, number, probe, lock)) for number, probe in enumerate(lock.probes)
        ),
    )


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Have a model's folder to oneself while its lock is read and written: two exports at once are both entered."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Some network file systems lock no folders. What is lost there is what others write in that moment alone.
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def write_lock(path: Path, lock: ModelLock) -> bool:
    """Write the lock, in one step; returns False, and touches nothing, where the file says the same already."""
    text = (HEADER if lock.function_name == "TEXT_EMBEDDING" else _OTHERS) + pyyaml.dump(
        _plain(lock), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31, default_flow_style=False
    )
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    atomic.write(path, text.encode())
    return True


def pack(vector: Sequence[float]) -> str:
    """Floats as base64 of little-endian half precision; raises OverflowError beyond 65504."""
    return base64.b64encode(struct.pack(f"<{len(vector)}e", *vector)).decode("ascii")


def unpack(text: str) -> tuple[float, ...]:
    """What ``pack`` wrote. Raises ValueError where it isn't that."""
    data = base64.b64decode(text, validate=True)
    if len(data) % 2:
        raise ValueError("an odd number of bytes")
    return struct.unpack(f"<{len(data) // 2}e", data)


class _Quoted(str):
    """Text that stands in double quotes whatever it looks like: 1e5 is a text to PyYAML and a number to YAML 1.2."""

    __slots__ = ()


class _Flow(dict[str, float]):
    """A mapping on one line."""


class _Dumper(pyyaml.SafeDumper):
    """PyYAML's safe dumper without aliases, which osform's own reader refuses."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(
    _Quoted, lambda dumper, data: dumper.represent_scalar("tag:yaml.org,2002:str", str(data), style='"')
)
_Dumper.add_representer(
    _Flow, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=True)
)


def _plain(lock: ModelLock) -> dict[str, Any]:
    return {
        "version": VERSION,
        "name": _Quoted(lock.name),
        "source_sha256": _Quoted(lock.source_sha256),
        "dimension": lock.dimension,
        "max_length": lock.max_length,
        "space_type": lock.space_type,
        "bundles": [
            {
                "format": bundle.format,
                "precision": bundle.precision,
                "sha256": _Quoted(bundle.sha256),
                "bytes": bundle.bytes,
                "function_name": bundle.function_name,
                "model_config": dict(bundle.model_config),
                "cosine_min": bundle.cosine_min,
                "cosine_mean": bundle.cosine_mean,
                **({} if bundle.recall is None else {"recall_at_10": bundle.recall}),
                "recipe": {key: _Quoted(value) for key, value in sorted(bundle.recipe.items())},
            }
            for bundle in lock.bundles
        ],
        "probes": [{"text": _Quoted(probe.text), **_told(lock, probe.vector)} for probe in lock.probes],
    }


def _told(lock: ModelLock, answer: tuple[float, ...] | Mapping[str, float]) -> dict[str, Any]:
    if isinstance(answer, Mapping):
        return {"weights": _Flow({_Quoted(each): _short(answer[each]) for each in sorted(answer)})}
    if lock.function_name == "TEXT_SIMILARITY":
        return {"score": _short(answer[0])}
    return {"vector": _Quoted(pack(answer))}


def _short(number: float) -> float:
    """As many digits as a score or a weight is compared by."""
    return float(f"{number:.7g}")


def _bundle(bundle: _Bundle) -> Bundle:
    return Bundle(
        format=bundle.format,
        precision=bundle.precision,
        sha256=bundle.sha256,
        bytes=bundle.bytes,
        function_name=bundle.function_name,
        model_config=bundle.config,
        cosine_min=bundle.cosine_min,
        cosine_mean=bundle.cosine_mean,
        recipe=bundle.recipe,
        recall=bundle.recall_at_10,
    )


def _answer(document: Document, number: int, probe: _Probe, lock: _Lock) -> tuple[float, ...] | Mapping[str, float]:
    match probe:
        case _Probe(vector=None, score=None, weights=dict() as weights):
            return weights
        case _Probe(vector=None, score=float() as score, weights=None):
            return (score,)
        case _Probe(vector=str() as vector, score=None, weights=None):
            return _unpacked(document, number, vector, lock)
    message = "expected one of vector, score and weights"
    raise SpecError([document.problem(("probes", number), message, _again(lock.name))])


def _unpacked(document: Document, number: int, text: str, lock: _Lock) -> tuple[float, ...]:
    try:
        vector = unpack(text)
    except ValueError as error:
        message = f"not base64 of half-precision floats: {error}"
        raise SpecError([document.problem(("probes", number, "vector"), message, _again(lock.name))]) from error
    if len(vector) != lock.dimension:
        message = f"{len(vector)} numbers, but dimension is {lock.dimension}"
        raise SpecError([document.problem(("probes", number, "vector"), message, _again(lock.name))])
    return vector


def _again(name: str) -> str:
    return f"take it back from Git, or delete it and run osform model export {name}"
