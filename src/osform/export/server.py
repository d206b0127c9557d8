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

from osform.core.closeness import pair_of
from osform.core.models import SERVER_MAX_LENGTH, Format, FunctionName
from osform.errors import ExportError
from osform.export.encoder import kept_tokens
from osform.export.functions import FUNCTIONS, graph_inputs

if TYPE_CHECKING:
    import numpy
    from tokenizers import Encoding, Tokenizer

    Vector = numpy.ndarray[Any, Any]

MODEL_FILES: Mapping[Format, str] = {"torch_script": "model.pt", "onnx": "model.onnx"}
ENGINE_FILE = "serving.properties"
# ML Commons has PyTorch use one thread a call, and says nothing to ONNX Runtime: that starts a thread for each other
# processor, bound to it, to share every single text, and they turn over while they wait. The node has a call for each
# processor under way anyway, so all of them are in each other's way.
ENGINE_OPTIONS = "option.intraOpNumThreads=1\noption.interOpNumThreads=1\n"


def serve(
    bundle: Path,
    format: Format,
    model_config: Mapping[str, Any],
    function_name: FunctionName = "text_embedding",
) -> Callable[[str], Vector]:
    """A function from a text to its vector, of shape (dimension,), as the ML node would answer it.

    Of a cross-encoder it is the score, of a sparse encoder a weight for each token of the vocabulary. Raises
    ExportError where the zip isn't laid out as the server wants it.
    """
    with zipfile.ZipFile(bundle) as archive:
        if sorted({*archive.namelist()} - {ENGINE_FILE}) != sorted(["tokenizer.json", MODEL_FILES[format]]):
            raise ExportError(
                f"{bundle}: expected tokenizer.json and {MODEL_FILES[format]}, found {archive.namelist()}"
            )
        if sum(entry.file_size for entry in archive.infolist()) > bundle.stat().st_size:
            raise ExportError(f"{bundle}: unpacks to more than its own size; osform's bundles are not compressed")
        tokenizer = _tokenizer(archive.read("tokenizer.json").decode("utf-8"))
        content = archive.read(MODEL_FILES[format])
    if format == "torch_script":
        run = _torch_script(content, function_name)
    else:
        run = _onnx(content, graph_inputs(function_name, str(model_config.get("model_type", ""))))

    def answer(text: str) -> Vector:
        encoded = tokenizer.encode(*pair_of(text)) if function_name == "text_similarity" else tokenizer.encode(text)
        output = run(encoded)
        if function_name == "text_embedding" and format == "onnx":
            return _pooled(output, model_config)
        first: Vector = output[0]
        return first * kept_tokens(tokenizer, len(first)) if function_name == "sparse_encoding" else first

    return answer


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


def _torch_script(content: bytes, function_name: FunctionName) -> Callable[[Encoding], Vector]:
    import torch

    model = torch.jit.load(io.BytesIO(content), map_location="cpu")
    function = FUNCTIONS[function_name]

    def run(encoded: Encoding) -> Vector:
        tensors = [torch.tensor([each]) for each in (encoded.ids, encoded.attention_mask, encoded.type_ids)]
        with torch.inference_mode():
            if function.positional:
                output: Vector = model(*tensors).numpy()
            else:
                features = {"input_ids": tensors[0], "attention_mask": tensors[1]}
                output = model(features)[function.output].numpy()
        return output

    return run


def _onnx(content: bytes, inputs: Mapping[str, str]) -> Callable[[Encoding], Vector]:
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # as elsewhere in this process
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    wanted = [entry.name for entry in session.get_inputs()]
    if sorted(wanted) != sorted(inputs):
        raise ExportError(f"Input mismatch, looking for: {wanted}; the server sends {list(inputs)}")

    def run(encoded: Encoding) -> Vector:
        sent = {"input_ids": encoded.ids, "attention_mask": encoded.attention_mask, "token_type_ids": encoded.type_ids}
        feed = {name: numpy.array([sent[what]], dtype=numpy.int64) for name, what in inputs.items()}
        output: Vector = session.run(None, feed)[0]
        return output

    return run


def _pooled(output: Vector, model_config: Mapping[str, Any]) -> Vector:
    """The server's pooling of the first output: (1, tokens, dimension), or (1, dimension) where the graph pooled."""
    import numpy

    rows = output[0] if output.ndim == 3 else output
    if str(model_config.get("pooling_mode", "mean")).lower() != "cls":
        raise ExportError("a bundle of osform pools in its graph, so its pooling_mode must be CLS: the first row")
    vector: Vector = rows[0]
    return vector / numpy.linalg.norm(vector) if model_config.get("normalize_result") else vector
