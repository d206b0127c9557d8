"""What ML Commons does with a bundle, done here: its tokenizer's rules, one text at a time, its pooling.

Read in ML Commons 3.6 and DJL 0.31.1 (ONNXSentenceTransformerTextEmbeddingTranslator, HuggingFaceTokenizer): so a
bundle that agrees with its source here is read, cut, run and pooled as it will be on the ML node.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osform.core.models import SERVER_MAX_LENGTH, Format
from osform.errors import ExportError
from osform.export.onnx_graph import inputs_of

if TYPE_CHECKING:
    import numpy
    from tokenizers import Tokenizer

    Vector = numpy.ndarray[Any, Any]

MODEL_FILES: Mapping[Format, str] = {"torch_script": "model.pt", "onnx": "model.onnx"}


def serve(bundle: Path, format: Format, model_config: Mapping[str, Any]) -> Callable[[str], Vector]:
    """A function from a text to its vector, of shape (dimension,), as the ML node would answer it.

    Raises ExportError where the zip isn't laid out as the server wants it.
    """
    with zipfile.ZipFile(bundle) as archive:
        if sorted(archive.namelist()) != sorted(["tokenizer.json", MODEL_FILES[format]]):
            raise ExportError(
                f"{bundle}: expected tokenizer.json and {MODEL_FILES[format]}, found {archive.namelist()}"
            )
        tokenizer = _tokenizer(archive.read("tokenizer.json").decode("utf-8"))
        content = archive.read(MODEL_FILES[format])
    if format == "torch_script":
        return _torch_script(content, tokenizer)
    return _onnx(content, tokenizer, model_config)


def _tokenizer(text: str) -> Tokenizer:
    """DJL's reading: the file's own limit, else that of a fixed padding, else 512, and never more; no padding."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(text)
    cut: dict[str, Any] = tokenizer.truncation or {}
    fixed = (tokenizer.padding or {}).get("length")
    limit = cut.get("max_length") or fixed or SERVER_MAX_LENGTH
    tokenizer.enable_truncation(min(limit, SERVER_MAX_LENGTH), direction=cut.get("direction", "right"))
    tokenizer.no_padding()
    return tokenizer


def _torch_script(content: bytes, tokenizer: Tokenizer) -> Callable[[str], Vector]:
    import torch

    model = torch.jit.load(io.BytesIO(content), map_location="cpu")

    def answer(text: str) -> Vector:
        encoded = tokenizer.encode(text)
        features = {"input_ids": torch.tensor([encoded.ids]), "attention_mask": torch.tensor([encoded.attention_mask])}
        with torch.inference_mode():
            vector: Vector = model(features)["sentence_embedding"][0].numpy()
        return vector

    return answer


def _onnx(content: bytes, tokenizer: Tokenizer, model_config: Mapping[str, Any]) -> Callable[[str], Vector]:
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # as elsewhere in this process
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = inputs_of(str(model_config["model_type"]))
    wanted = [entry.name for entry in session.get_inputs()]
    if sorted(wanted) != sorted(names):
        raise ExportError(f"Input mismatch, looking for: {wanted}; the server sends {list(names)}")

    def answer(text: str) -> Vector:
        encoded = tokenizer.encode(text)
        sent = {"input_ids": encoded.ids, "attention_mask": encoded.attention_mask}
        sent |= {"token_type_ids": encoded.type_ids}
        feed = {name: numpy.array([sent[name]], dtype=numpy.int64) for name in names}
        return _pooled(session.run(None, feed)[0], model_config)

    return answer


def _pooled(output: Vector, model_config: Mapping[str, Any]) -> Vector:
    """The server's pooling of the first output: (1, tokens, dimension), or (1, dimension) where the graph pooled."""
    import numpy

    rows = output[0] if output.ndim == 3 else output
    if str(model_config.get("pooling_mode", "mean")).lower() != "cls":
        raise ExportError("a bundle of osform pools in its graph, so its pooling_mode must be CLS: the first row")
    vector: Vector = rows[0]
    return vector / numpy.linalg.norm(vector) if model_config.get("normalize_result") else vector
