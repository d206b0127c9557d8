"""A real model that is built in a second: a bag of words as an ONNX graph with a tokenizer, zipped as the server wants.

It deploys and answers on a real ML node like any text embedding model, so tests of uploading, deploying and probing
need neither torch nor minutes. ``rows`` makes it as big as a test needs: 128 bytes a row, which no zip makes smaller.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from osform.export.server import ENGINE_FILE, ENGINE_OPTIONS

DIMENSION = 32
TEXTS = ("a cat on a sofa", "the old harbour", "", "coffee and bread in the morning")
WORDS = sorted({word for text in TEXTS for word in text.split()} | {"dog", "snow", "street"})
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


@dataclass(frozen=True)
class Tiny:
    """A bundle, and what it answers."""

    bundle: Path
    probes: tuple[tuple[str, tuple[float, ...]], ...]

    def meta(self, name: str, group: str, **more: Any) -> dict[str, Any]:
        """The body to register it with."""
        return {
            "name": name,
            "function_name": "TEXT_EMBEDDING",
            "model_format": "ONNX",
            "model_group_id": group,
            "model_config": {
                "model_type": "bert",
                "embedding_dimension": DIMENSION,
                "framework_type": "sentence_transformers",
                "pooling_mode": "CLS",
                "normalize_result": False,
            },
            **more,
        }


def build(folder: Path, *, rows: int = 400, seed: int = 0) -> Tiny:
    """Make a bundle in ``folder``; another ``seed`` gives another model, with other vectors."""
    graph, tokenizer = _graph(rows, seed), _tokenizer()
    bundle = folder / f"tiny-{rows}-{seed}.zip"
    with zipfile.ZipFile(bundle, "w") as file:
        parts = ("model.onnx", graph), ("tokenizer.json", tokenizer.to_str().encode()), (ENGINE_FILE, ENGINE_OPTIONS)
        for name, content in parts:
            file.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    return Tiny(bundle, tuple(zip(TEXTS, _run(graph, tokenizer, TEXTS), strict=True)))


def broken(folder: Path) -> Path:
    """A bundle that uploads like any other and that no node can load."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("model.onnx", b"this is no graph")
        file.writestr("tokenizer.json", _tokenizer().to_str())
    path = folder / "broken.zip"
    path.write_bytes(content.getvalue())
    return path


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = {word: number for number, word in enumerate((*SPECIAL, *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_truncation(max_length=64)
    return tokenizer


def _graph(rows: int, seed: int) -> bytes:
    """Mean of the words' random vectors: three inputs as a BERT has them, one pooled output of shape [1, 32]."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(seed)
    constants = {
        "words": random.standard_normal((rows, DIMENSION), dtype=np.float32),
        "types": random.standard_normal((2, DIMENSION), dtype=np.float32),
        "last": np.array([2], dtype=np.int64),
        "middle": np.array([1], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["words", "input_ids"], ["word"]),
        helper.make_node("Gather", ["types", "token_type_ids"], ["type"]),
        helper.make_node("Add", ["word", "type"], ["token"]),
        helper.make_node("Cast", ["attention_mask"], ["weight"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["weight", "last"], ["column"]),
        helper.make_node("Mul", ["token", "column"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "middle"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["column", "middle"], ["count"], keepdims=0),
        helper.make_node("Div", ["sum", "count"], ["sentence_embedding"]),
    ]
    names = ("input_ids", "attention_mask", "token_type_ids")
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, [1, "length"]) for name in names]
    output = helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, [1, DIMENSION])
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, [output], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    return bytes(model.SerializeToString())


def _run(graph: bytes, tokenizer: Any, texts: Sequence[str]) -> list[tuple[float, ...]]:
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    vectors = []
    for text in texts:
        encoded = tokenizer.encode(text)
        feed = {
            "input_ids": np.array([encoded.ids], dtype=np.int64),
            "attention_mask": np.array([encoded.attention_mask], dtype=np.int64),
            "token_type_ids": np.array([encoded.type_ids], dtype=np.int64),
        }
        vectors.append(tuple(float(value) for value in session.run(None, feed)[0][0]))
    return vectors
