"""An ONNX graph fused and in 8 bits, with onnxruntime's own tools, for the ONNX Runtime 1.16.3 of ML Commons."""

from __future__ import annotations

import fnmatch
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from osform.errors import ExportError

DOMAIN = "com.microsoft"  # of fused operators
OPERATORS = ("MatMul", "Attention", "EmbedLayerNormalization", "Gather")


def fused(model: Any, *, heads: int, hidden: int) -> Any:
    """The graph with attention, normalisation, activation and embedding each in one operator, where they are found.

    onnxruntime calls the type ``bert``, and knows by it whatever is built as BERT is; others have some parts fused.
    """
    from onnxruntime.transformers.fusion_options import FusionOptions
    from onnxruntime.transformers.optimizer import optimize_model

    logging.getLogger("onnxruntime.transformers").setLevel(logging.ERROR)
    # Level 0: no session's own optimisations, some of which are for the processor that they are made on.
    options = FusionOptions("bert")
    result = optimize_model(model, "bert", heads, hidden, options, opt_level=0).model
    return with_domains(result)


def quantized(model: Any, *, keep: Sequence[str], reduce_range: bool) -> Any:
    """The graph with matrices and embeddings in 8 bits, a scale for each column; activations are scaled as they come.

    ``reduce_range`` leaves the eighth bit of weights alone: without it, processors that multiply 8 bits without VNNI
    (AVX2, AVX-512 before 2019) overflow, and give other vectors than those with it. ``keep`` names linear layers that
    stay in fp32, such as ``layer.0.output.dense``, by the end of their names, with * for any. Raises ExportError where
    one of them matches nothing.
    """
    from onnx import TensorProto, load
    from onnxruntime.quantization import QuantType, quantize_dynamic

    kept = _kept(model, keep)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "int8.onnx"
        logging.getLogger().setLevel(logging.ERROR)  # it advises to run its own preprocessing first
        quantize_dynamic(
            model,
            target,
            op_types_to_quantize=list(OPERATORS),
            per_channel=True,
            reduce_range=reduce_range,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=kept,
            # Shapes are not inferred through fused operators, whose outputs are all fp32.
            extra_options={"DefaultTensorType": TensorProto.FLOAT, "MatMulConstBOnly": True},
        )
        return with_domains(load(target))


def with_domains(model: Any) -> Any:
    """The graph with the imports that it uses alone: ONNX Runtime 1.16.3 refuses versions that it doesn't know."""
    from onnx import helper

    used = {node.domain or "" for node in model.graph.node} | {""}
    versions = {entry.domain or "": entry.version for entry in model.opset_import}
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(domain, versions.get(domain, 1)) for domain in sorted(used))
    return model


def _kept(model: Any, keep: Sequence[str]) -> list[str]:
    layers = {
        node.name.strip("/").replace("/", ".").removesuffix(".MatMul"): node.name
        for node in model.graph.node
        if node.op_type == "MatMul"
    }
    kept: list[str] = []
    for pattern in keep:
        found = [node for layer, node in layers.items() if fnmatch.fnmatchcase(f".{layer}", f"*.{pattern}")]
        if not found:
            raise ExportError(
                f"model.yaml says int8.keep: {pattern}, and no linear layer's name ends so",
                hint=f"there are {', '.join(list(layers)[:8])} ...",
            )
        kept += found
    return sorted(set(kept))
