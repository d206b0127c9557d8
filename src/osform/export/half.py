"""An ONNX graph whose weights are stored in 16 bits: half the size, for the same arithmetic."""

from __future__ import annotations

from typing import Any

LEAST = 1_000  # numbers in a tensor that are worth a cast
GREATEST = 65_504.0  # that 16 bits hold


def halved(model: Any) -> Any:
    """The graph with its large weights in 16 bits, and a cast to 32 in front of whoever reads one.

    ONNX Runtime does the casts once, when it loads the model, so each text is computed as in fp32. onnxruntime's own
    converter makes the operators compute in 16 bits as well, for which processors cast back and forth: slower than fp32
    by a tenth. A tensor with a number that 16 bits don't hold stays as it is.
    """
    import numpy
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != TensorProto.FLOAT:
            continue
        values, name = numpy_helper.to_array(weight), weight.name
        if values.size < LEAST or not numpy.abs(values).max() <= GREATEST:
            continue
        weight.CopyFrom(numpy_helper.from_array(values.astype(numpy.float16), f"{name}.fp16"))
        casts.append(helper.make_node("Cast", [weight.name], [name], name=f"{name}.cast", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model
