"""Activations made easier to write in 8 bits, without a change of what the model computes.

A few channels of a transformer's activations are many times as large as the others, and one scale for all of them
leaves the others few steps. SmoothQuant (Xiao et al., 2022, https://arxiv.org/abs/2211.10438) divides each channel by a
number of its own before a matrix is multiplied, and multiplies the matrix's row by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osform.export import vocabulary

if TYPE_CHECKING:
    import numpy
    import torch
    from sentence_transformers import SentenceTransformer

COUNT, WORDS = 256, (4, 8, 16, 40)  # of the texts that activations are measured on
QUARTERS = (1.0, 1.189207115002721, 1.4142135623730951, 1.681792830507429)  # of a power of two
SMALLEST = 0.1  # of a median weight: what rows that are nearly zero are taken for


def smooth(model: SentenceTransformer, strength: float) -> list[str]:
    """Smooth the feed-forward layers in place; returns their names. Each has a matrix that is not square.

    ``strength`` is the paper's alpha: 0 leaves activations as uneven as they are, 1 leaves all of it to the weights.
    The divisors are found in double precision and rounded to quarters of a power of two, so that the last bits of a
    processor's arithmetic don't show in the model.
    """
    import torch

    transformer = model[0].auto_model
    layers = {
        name: module
        for name, module in transformer.named_modules()
        if isinstance(module, torch.nn.Linear) and module.in_features != module.out_features
    }
    largest = _largest_inputs(model, layers)
    for name, seen in largest.items():  # only what texts pass through: a pooler, say, is not asked
        layer = layers[name]
        divisors = torch.from_numpy(_divisors(seen, layer.weight.numpy(), strength))
        layer.weight.data *= divisors
        layer.register_buffer("smoothing", 1 / divisors, persistent=False)
        layer.register_forward_pre_hook(_divide)
    return list(largest)


def _divide(layer: torch.nn.Linear, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
    return inputs[0] * layer.smoothing


def _largest_inputs(
    model: SentenceTransformer, layers: dict[str, torch.nn.Linear]
) -> dict[str, numpy.ndarray[Any, Any]]:
    """The largest absolute value of each channel that enters a layer, over the texts: float64 of shape (channels,)."""
    import torch

    largest: dict[str, torch.Tensor] = {}

    def remember(name: str) -> Any:
        def hook(_: torch.nn.Linear, inputs: tuple[torch.Tensor, ...]) -> None:
            found = inputs[0].reshape(-1, inputs[0].shape[-1]).abs().amax(dim=0)
            largest[name] = torch.maximum(largest[name], found) if name in largest else found

        return hook

    hooks = [layer.register_forward_pre_hook(remember(name)) for name, layer in layers.items()]
    texts = vocabulary.texts(model.tokenizer, COUNT, words=WORDS, needed_for="int8")
    model.double()
    model.encode(texts, batch_size=1, show_progress_bar=False)  # no padding: what stands there means nothing
    model.float()
    for hook in hooks:
        hook.remove()
    return {name: value.numpy() for name, value in largest.items()}


def _divisors(
    largest: numpy.ndarray[Any, Any], weights: numpy.ndarray[Any, Any], strength: float
) -> numpy.ndarray[Any, Any]:
    """One number a channel, around 1: float32 of shape (channels,)."""
    import numpy

    inputs = numpy.maximum(largest, max(float(numpy.median(largest)), 1e-6))
    rows = numpy.abs(weights.astype(numpy.float64)).max(axis=0)
    rows = numpy.maximum(rows, max(SMALLEST * float(numpy.median(rows)), 1e-6))
    exponents = strength * numpy.log2(inputs) - (1 - strength) * numpy.log2(rows)
    quarters = numpy.rint(4 * (exponents - exponents.mean())).astype(numpy.int32)
    divisors: numpy.ndarray[Any, Any] = numpy.ldexp(
        numpy.array(QUARTERS, dtype=numpy.float32)[quarters % 4], quarters // 4
    )
    return divisors
