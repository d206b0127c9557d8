"""An encoder as an ONNX graph that the ONNX Runtime 1.16.3 of ML Commons loads.

optimum's own export of sentence-transformers models has pooling in the graph too, but puts ``token_embeddings`` first,
and the server takes the first output; so this is torch's exporter on a small wrapper with one output. It is the
exporter based on TorchScript, since the newer one writes IR 10 and weights in a second file, and neither is loaded.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

from osform.core.models import Int8
from osform.errors import ExportError
from osform.export import int8
from osform.export.encoder import Encoder

if TYPE_CHECKING:
    import torch

OPSET = 17  # the first with LayerNormalization; gives IR 8, and the server's limit is 9
MAX_IR = 9
# The server sends token_type_ids to these alone, and DJL refuses a graph whose inputs differ from what is sent.
WITH_TOKEN_TYPES = ("bert", "albert")


def inputs_of(model_type: str) -> tuple[str, ...]:
    """The inputs that the server sends to an ONNX model of that type, each int64 of shape (1, tokens)."""
    more = ("token_type_ids",) if model_type.lower() in WITH_TOKEN_TYPES else ()
    return ("input_ids", "attention_mask", *more)


def make(encoder: Encoder, in_8_bits: Int8 | None = None) -> bytes:
    """The graph as the bytes of a ``model.onnx``, with one output of shape (batch, dimension).

    It is fused where it is in 8 bits. In fp32 it has ONNX's own operators alone; the server's runtime fuses those.
    Raises ExportError where the graph would not be loaded by the server.
    """
    import torch

    names = inputs_of(encoder.model_type)

    class SentenceEmbedding(torch.nn.Module):  # type: ignore[misc]  # mypy does not look into torch
        def __init__(self) -> None:
            super().__init__()
            self.model = encoder.model

        def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
            output: torch.Tensor = self.model(dict(zip(names, tensors, strict=True)))["sentence_embedding"]
            return output

    buffer = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        # Frozen Python conditions, as in torch_script; and the advice to use the newer exporter.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            SentenceEmbedding().eval(),
            _example(encoder, names),
            buffer,
            dynamo=False,
            opset_version=OPSET,
            input_names=list(names),
            output_names=["sentence_embedding"],
            dynamic_axes={**{name: {0: "batch", 1: "tokens"} for name in names}, "sentence_embedding": {0: "batch"}},
        )
    if in_8_bits is None:
        return _checked(_loaded(buffer), names)
    config = encoder.model[0].auto_model.config
    graph = int8.fused(_loaded(buffer), heads=config.num_attention_heads, hidden=config.hidden_size)
    return _checked(int8.quantized(graph, keep=in_8_bits.keep, reduce_range=in_8_bits.reduce_range), names)


def _loaded(buffer: io.BytesIO) -> Any:
    import onnx

    return onnx.load_from_string(buffer.getvalue())


def _example(encoder: Encoder, names: tuple[str, ...]) -> tuple[torch.Tensor, ...]:
    ids = encoder.example()
    values = {"input_ids": ids, "attention_mask": ids * 0 + 1, "token_type_ids": ids * 0}
    return tuple(values[name] for name in names)


def _checked(model: Any, names: tuple[str, ...]) -> bytes:
    """The graph again, proved to be what the server loads and freed of what depends on where it was made."""
    import onnx

    _strip(model)
    onnx.checker.check_model(model)
    found = tuple(entry.name for entry in model.graph.input)
    outputs = [entry.name for entry in model.graph.output]
    external = [t.name for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    if model.ir_version > MAX_IR:
        raise ExportError(f"the ONNX graph has IR version {model.ir_version}, ML Commons loads up to {MAX_IR}")
    if found != names or outputs != ["sentence_embedding"]:
        raise ExportError(f"the ONNX graph takes {found} and gives {outputs}, but the server sends {names}")
    if external or not {entry.domain for entry in model.opset_import} <= {"", int8.DOMAIN}:
        raise ExportError(
            f"the ONNX graph has weights outside, or operators that are neither ONNX's own nor {int8.DOMAIN}'s"
        )
    return bytes(model.SerializeToString(deterministic=True))


def _strip(model: Any) -> None:
    """Take away names and notes that nothing reads: they may hold paths and stack traces."""
    del model.metadata_props[:]
    model.doc_string = ""
    model.graph.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
