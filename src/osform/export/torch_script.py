"""A model as TorchScript, as ML Commons wants it for ``framework_type: sentence_transformers``.

The server passes one dictionary with ``input_ids`` and ``attention_mask``, int64 of shape (1, tokens), and takes the
dictionary that comes back as it is: pooling and normalisation have to be inside. neural-search reads the key
``sentence_embedding``, and every other key would travel in each answer, so there is no other. A sparse encoder's key is
``output``. A cross-encoder gets three tensors instead, the third being ``token_type_ids``, and gives one.
"""

from __future__ import annotations

import io
import warnings
import zipfile

from osform.errors import ExportError
from osform.export.encoder import Encoder
from osform.export.functions import FUNCTIONS
from osform.export.zips import write_zip


def make(encoder: Encoder) -> bytes:
    """The traced model as the bytes of a ``model.pt``. The encoder must have been loaded with eager attention.

    Raises ExportError where an operation is in the graph that the libtorch 1.13.1 of OpenSearch 2.x doesn't know.
    """
    import torch

    function = FUNCTIONS[encoder.function_name]

    class SentenceEmbedding(torch.nn.Module):  # type: ignore[misc]  # mypy does not look into torch
        __module__ = "osform"  # this name is in the archive, whose bytes shall not change when code here moves

        def __init__(self) -> None:
            super().__init__()
            self.model = encoder.model

        def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            features = {key: features[key] for key in ("input_ids", "attention_mask")}
            return {function.output: self.model(features)[function.feature]}

    class Similarity(torch.nn.Module):  # type: ignore[misc]  # as above
        __module__ = "osform"

        def __init__(self) -> None:
            super().__init__()
            self.model = encoder.model

        def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
            score: torch.Tensor = self.model(encoder.features(*tensors))[function.feature]
            return score

    ids = encoder.example()
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    example = (ids, torch.ones_like(ids), torch.zeros_like(ids)) if function.positional else (inputs,)
    wrapper = Similarity() if function.positional else SentenceEmbedding()
    with torch.no_grad(), warnings.catch_warnings():
        # Tracing warns of Python conditions that it freezes; the comparison over many lengths shows whether it matters.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        # It looks at every property of a module, at those of old names as well.
        warnings.simplefilter("ignore", DeprecationWarning)
        # strict=False allows a dictionary as the output.
        traced = torch.jit.trace(wrapper.eval(), example, strict=False, check_trace=False)
    if "scaled_dot_product_attention" in str(traced.inlined_graph):
        raise ExportError(
            "the traced model uses aten::scaled_dot_product_attention, which OpenSearch 2.x can't run",
            hint=f"the architecture {encoder.model_type!r} offers no eager attention; export it as onnx",
        )
    buffer = io.BytesIO()
    torch.jit.save(traced, buffer)
    return stripped(buffer.getvalue())


def stripped(archive: bytes) -> bytes:
    """The archive without what depends on where it was made.

    ``.debug_pkl`` records hold the paths of source files, and serialization_id is a hash over them. libtorch reads
    both only where they are there.
    """
    with zipfile.ZipFile(io.BytesIO(archive)) as saved:
        kept = [
            (name, saved.read(name))
            for name in saved.namelist()
            if not name.endswith((".debug_pkl", "/.data/serialization_id"))
        ]
    buffer = io.BytesIO()
    write_zip(buffer, kept, aligned=True)
    return buffer.getvalue()
