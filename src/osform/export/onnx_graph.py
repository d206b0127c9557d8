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
from osform.export import half, int8
from osform.export.encoder import Encoder
from osform.export.functions import FUNCTIONS, graph_inputs

if TYPE_CHECKING:
    import torch

OPSET = 17  # the first with LayerNormalization; gives IR 8, and the server's limit is 9
MAX_IR = 9


def make(encoder: Encoder, in_8_bits: Int8 | None = None, *, in_16_bits: bool = False) -> bytes:
    """The graph as the bytes of a ``model.onnx``, with one output of shape (batch, dimension).

    It is fused where it is in 8 bits. Otherwise it has ONNX's own operators alone; the server's runtime fuses those.
    Raises ExportError where the graph would not be loaded by the server.
    """
    import torch

    function = FUNCTIONS[encoder.function_name]
    inputs = graph_inputs(encoder.function_name, encoder.model_type)
    names = tuple(inputs)

    class SentenceEmbedding(torch.nn.Module):  # type: ignore[misc]  # mypy does not look into torch
        def __init__(self) -> None:
            super().__init__()
            self.model = encoder.model

        def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
            output: torch.Tensor = self.model(encoder.features(*tensors))[function.feature]
            return output

    buffer = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        # Frozen Python conditions, as in torch_script; and the advice to use the newer exporter.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        # Of negative indices. CLIP's are the places of its ends of text.
        warnings.filterwarnings("ignore", "Exporting aten::index operator", UserWarning)
        torch.onnx.export(
            SentenceEmbedding().eval(),
            _example(encoder, tuple(inputs.values())),
            buffer,
            dynamo=False,
            opset_version=OPSET,
            input_names=list(names),
            output_names=[function.output],
            dynamic_axes={**{name: {0: "batch", 1: "tokens"} for name in names}, function.output: {0: "batch"}},
        )
    graph = _with_inputs(_loaded(buffer), names)
    if in_8_bits is None:
        return _checked(half.halved(graph) if in_16_bits else graph, names, function.output)
    config = encoder.model[0].auto_model.config
    graph = int8.fused(graph, heads=config.num_attention_heads, hidden=config.hidden_size)
    return _checked(
        int8.quantized(graph, keep=in_8_bits.keep, reduce_range=in_8_bits.reduce_range), names, function.output
    )


def _loaded(buffer: io.BytesIO) -> Any:
    import onnx

    return onnx.load_from_string(buffer.getvalue())


def _with_inputs(model: Any, names: tuple[str, ...]) -> Any:
    """The graph with all inputs that the server sends; the exporter leaves out what isn't read."""
    from onnx import TensorProto, helper

    there = {entry.name: entry for entry in model.graph.input}
    shape = ["batch", "tokens"]
    inputs = [there.get(name) or helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in names]
    if len(there) < len(inputs):
        del model.graph.input[:]
        model.graph.input.extend(inputs)
    return model


def _example(encoder: Encoder, names: tuple[str, ...]) -> tuple[torch.Tensor, ...]:
    ids = encoder.example()
    values = {"input_ids": ids, "attention_mask": ids * 0 + 1, "token_type_ids": ids * 0}
    return tuple(values[name] for name in names)


def _checked(model: Any, names: tuple[str, ...], output: str) -> bytes:
    """The graph again, proved to be what the server loads and freed of what depends on where it was made."""
    import onnx

    _strip(model)
    onnx.checker.check_model(model)
    found = tuple(entry.name for entry in model.graph.input)
    outputs = [entry.name for entry in model.graph.output]
    external = [t.name for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    if model.ir_version > MAX_IR:
        raise ExportError(f"the ONNX graph has IR version {model.ir_version}, ML Commons loads up to {MAX_IR}")
    if found != names or outputs != [output]:
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
