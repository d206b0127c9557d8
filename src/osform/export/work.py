"""What happens in the export's process: load the source, make the bundle, run it as the server would, compare."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from osform.core.closeness import closeness
from osform.core.events import Advanced, Begun, Ended, Note, Report
from osform.core.models import Int8
from osform.export import clip, encoder, onnx_graph, projections, sources, torch_script
from osform.export.agreement import cosine, recall
from osform.export.encoder import Encoder
from osform.export.jobs import Answer, Job
from osform.export.server import ENGINE_FILE, ENGINE_OPTIONS, MODEL_FILES, serve
from osform.export.smoothing import smooth
from osform.export.zips import write_zip

# Goes up when osform changes what it does to a model, so that a lock can say why bytes differ.
RECIPE = {"torch_script": "1", "onnx": "2"}
PACKAGES = {
    "torch_script": ("sentence-transformers", "tokenizers", "torch", "transformers"),
    "onnx": ("onnx", "sentence-transformers", "tokenizers", "torch", "transformers"),
}


def carry_out(job: Job, report: Report) -> Answer:
    """Do the job and return what was measured. Raises ExportError for what can't be exported or run."""
    report(Note(f"loading {job.source}"))
    if job.make and job.projection is not None and not Path(job.projection.path).exists():
        report(Note(f"fitting {job.projection.path}"))
        projections.fit(
            encoder.load(replace(job, projection=None)).model, job.projection, sources.digest(Path(job.source))
        )
    reference = _load(job)
    model_config = job.model_config
    if job.make:
        report(Note(f"making {job.format} {job.precision}"))
        # Eager attention: the operator that replaces it is unknown to the libtorch of OpenSearch 2.x.
        _write_bundle(job, _load(job, attention="eager"))
    texts = (*job.texts, *_ends(job, reference), *job.corpus)
    expected = reference.encode(texts)
    if job.make:
        model_config = _model_config(job, reference, dimension=len(expected[0]))
    answer = serve(Path(job.bundle), job.format, model_config, job.function_name)
    task = f"comparing {job.format} {job.precision} with its source"
    report(Begun(task, len(texts)))
    given = []
    for done, text in enumerate(texts, start=1):
        given.append(answer(text))
        report(Advanced(task, done, len(texts)))
    report(Ended(task))
    return Answer(
        dimension=len(expected[0]),
        max_length=reference.max_length,
        space_type=job.space_type or reference.space_type,
        function_name=job.function_name.upper(),
        model_config=model_config,
        recipe=_recipe(job),
        cosines=tuple(_closeness(job, reference, *both) for both in zip(expected, given, strict=True)),
        vectors=tuple(_plain(job, reference, vector) for vector in expected[: len(job.texts)]),
        recall=recall(expected[-len(job.corpus) :], given[-len(job.corpus) :]) if job.corpus else None,
    )


def _load(job: Job, *, attention: str | None = None) -> Encoder:
    folder = clip.folder_of(Path(job.source))
    return encoder.load(job, attention=attention) if folder is None else clip.load(job, folder, attention)


def _ends(job: Job, model: Encoder) -> tuple[str, str]:
    """The empty text, and one beyond the limit."""
    empty, long = "", "one word after another " * model.max_length
    return (json.dumps([empty, empty]), json.dumps([long, long])) if _pairs(job) else (empty, long)


def _pairs(job: Job) -> bool:
    return job.function_name == "text_similarity"


def _closeness(job: Job, model: Encoder, expected: Any, given: Any) -> float:
    if job.function_name == "text_embedding":
        return cosine(expected, given)
    return closeness(_plain(job, model, expected), _plain(job, model, given))


def _plain(job: Job, model: Encoder, vector: Any) -> tuple[float, ...] | Mapping[str, float]:
    """A vector as floats; a sparse encoder's as the server tells it, by token."""
    if job.function_name != "sparse_encoding":
        return tuple(float(x) for x in vector)
    return {model.backend_tokenizer.decode([int(at)]): float(vector[at]) for at in vector.nonzero()[0]}


def _write_bundle(job: Job, model: Encoder) -> None:
    content = torch_script.make(model) if job.format == "torch_script" else _onnx(job, model)
    entries = [(MODEL_FILES[job.format], content), ("tokenizer.json", _tokenizer_json(model))]
    if job.format == "onnx":
        entries.append((ENGINE_FILE, ENGINE_OPTIONS.encode()))
    write_zip(job.bundle, entries)


def _onnx(job: Job, model: Encoder) -> bytes:
    if job.precision != "int8":
        return onnx_graph.make(model, in_16_bits=job.precision == "fp16")
    if job.int8.smooth:
        smooth(model.model, job.int8.smooth)
    return onnx_graph.make(model, job.int8)


def _tokenizer_json(model: Encoder) -> bytes:
    """The tokenizer as sentence-transformers uses it, cut at the model's own limit, and without padding.

    The server obeys this file alone. all-MiniLM-L6-v2 ships a limit of 128 in it, while the model reads 256.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(model.backend_tokenizer.to_str())
    tokenizer.enable_truncation(model.max_length, direction=model.model.tokenizer.truncation_side)
    tokenizer.no_padding()
    return bytes(tokenizer.to_str().encode("utf-8"))


def _model_config(job: Job, model: Encoder, dimension: int) -> Mapping[str, Any]:
    """The register API's ``model_config``, in words that every server version understands.

    A sparse encoder has none: the server takes one for that of a text embedding model, and fails.
    """
    if job.function_name == "sparse_encoding":
        return {}
    if _pairs(job):
        # OpenSearch 2.19 asks for all three.
        return {
            "model_type": model.model_type,
            "embedding_dimension": dimension,
            "framework_type": "huggingface_transformers",
        }
    config = {
        "model_type": model.model_type,
        "embedding_dimension": dimension,
        "framework_type": "sentence_transformers",
        "model_max_length": model.max_length,
    }
    if job.format == "onnx":
        # The server always pools an ONNX output. The graph has pooled already, so its output has one row, and CLS takes
        # the first row; MEAN fails on it, NONE is known from 3.6 on only and normalises along the wrong axis.
        config |= {"pooling_mode": "CLS", "normalize_result": False}
    return config


def _recipe(job: Job) -> Mapping[str, str]:
    versions = {package: version(package) for package in PACKAGES[job.format]}
    opset = {"opset": str(onnx_graph.OPSET)} if job.format == "onnx" else {}
    return {
        "osform-recipe": RECIPE[job.format],
        **versions,
        **opset,
        **(_in_8_bits(job.int8) if job.precision == "int8" else {}),
        **({"weights": "stored in 16 bits, computed with in 32"} if job.precision == "fp16" else {}),
    }


def _in_8_bits(int8: Int8) -> Mapping[str, str]:
    bits = "7 of 8 bits used, on any processor" if int8.reduce_range else "8 bits, for processors with VNNI or on ARM"
    return {
        "onnxruntime": version("onnxruntime"),
        "graph": "fused for BERT",
        "weights": f"a scale for each column, {bits}",
        "activations": f"a scale for each tensor, as it comes; smoothed by {int8.smooth}",
        "in fp32": ", ".join(int8.keep) or "nothing",
    }
