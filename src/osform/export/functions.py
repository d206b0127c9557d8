"""The functions that a local model can have on an ML node, and how ML Commons calls a model of each.

Read in ML Commons 3.6 and DJL 0.31.1: SentenceTransformerTranslator, TextSimilarityTranslator and
SparseEncodingTranslator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from osform.core.models import FunctionName

# The server sends token_type_ids to these alone, and DJL refuses a graph whose inputs differ from what is sent.
WITH_TOKEN_TYPES = ("bert", "albert")


@dataclass(frozen=True)
class Function:
    """``feature`` is what sentence-transformers calls the result, ``output`` what the server does.

    ``positional``: a TorchScript model is called with tensors one after the other, and not with a dictionary of them.
    """

    feature: str
    output: str
    positional: bool = False


FUNCTIONS: Mapping[FunctionName, Function] = {
    "text_embedding": Function("sentence_embedding", "sentence_embedding"),
    "text_similarity": Function("scores", "similarity", positional=True),
    "sparse_encoding": Function("sentence_embedding", "output"),
}


def graph_inputs(function_name: FunctionName, model_type: str) -> Mapping[str, str]:
    """The inputs that the server sends to an ONNX model, each int64 of shape (1, tokens), and what each holds."""
    names = ["input_ids", "attention_mask"]
    match function_name:
        case "text_embedding":
            more = ["token_type_ids"] if model_type.lower() in WITH_TOKEN_TYPES else []
            return {name: name for name in [*names, *more]}
        case "text_similarity":
            # All three whatever the type, so a graph has to have them all, even where it reads two.
            return {name: name for name in [*names, "token_type_ids"]}
        case "sparse_encoding":
            # Named for the dictionary that a TorchScript model gets. The name is any string to ONNX.
            return {f"input1.{name}": name for name in names}
