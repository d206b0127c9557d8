"""CLIP's text tower: projected, taken at the end of the text, normalised and cut, as transformers does it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy
import pytest

from osform.core.events import silent
from osform.core.models import Format
from osform.errors import ExportError
from osform.export.jobs import Answer, Job
from osform.export.work import carry_out
from tests import clips

pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning"),
]


def exported(source: Path, format: Format, **more: Any) -> Answer:
    return carry_out(Job(str(source), format, "fp32", str(source) + ".zip", clips.TEXTS, make=True, **more), silent)


@pytest.mark.parametrize("format", ["torch_script", "onnx"])
@pytest.mark.parametrize("legacy", [True, False], ids=["old-end", "new-end"])
def test_the_tower_agrees_with_transformers_at_every_length(tmp_path: Path, format: Format, legacy: bool) -> None:
    answer = exported(clips.build(tmp_path / "clip", legacy=legacy), format)
    assert min(answer.cosines) > 0.999999
    assert (answer.dimension, answer.max_length, answer.space_type) == (16, 77, "cosinesimil")
    assert all(abs(numpy.linalg.norm(vector) - 1) < 1e-5 for vector in answer.vectors if isinstance(vector, tuple))


def test_its_vectors_are_those_of_the_whole_clip(tmp_path: Path) -> None:
    import torch
    from transformers import CLIPModel, CLIPTokenizerFast

    folder = clips.build(tmp_path / "clip")
    model, tokenizer = CLIPModel.from_pretrained(folder), CLIPTokenizerFast.from_pretrained(folder)
    read = tokenizer(list(clips.TEXTS), truncation=True, max_length=77, padding=True, return_tensors="pt")
    with torch.inference_mode():
        whole = torch.nn.functional.normalize(model.get_text_features(**read), dim=-1).numpy()
    cosines = (numpy.array(exported(folder, "onnx").vectors) * whole).sum(1)
    assert cosines.min() > 0.99999


def test_a_text_beyond_77_tokens_keeps_its_end(tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    folder = clips.build(tmp_path / "clip")
    exported(folder, "onnx")
    with zipfile.ZipFile(f"{folder}.zip") as bundle:
        tokenizer = Tokenizer.from_str(bundle.read("tokenizer.json").decode())
    tokens = tokenizer.encode("word " * 200).tokens
    assert (len(tokens), tokens[0], tokens[-1]) == (77, "<|startoftext|>", "<|endoftext|>")


def test_the_graph_has_no_operator_that_an_old_libtorch_lacks(tmp_path: Path) -> None:
    import torch

    folder = clips.build(tmp_path / "clip")
    exported(folder, "torch_script")
    with zipfile.ZipFile(f"{folder}.zip") as bundle:
        graph = str(torch.jit.load(io.BytesIO(bundle.read("model.pt"))).inlined_graph)
    assert "scaled_dot_product_attention" not in graph


def test_without_projection_or_at_another_place_it_would_disagree(tmp_path: Path) -> None:
    """What the published demo does, mean pooling before the projection, has the right dimension and is far off."""
    import torch
    from transformers import CLIPTextModel, CLIPTokenizerFast

    folder = clips.build(tmp_path / "clip", dimension=32)
    read = CLIPTokenizerFast.from_pretrained(folder)(["a photo of a cat"], return_tensors="pt")
    with torch.inference_mode():
        mean = CLIPTextModel.from_pretrained(folder)(**read).last_hidden_state[0].mean(0).numpy()
    right = numpy.array(exported(folder, "onnx").vectors[0])
    assert mean.shape == right.shape
    assert mean @ right / numpy.linalg.norm(mean) < 0.9


def test_sentence_transformers_folder_of_clip_is_found(tmp_path: Path) -> None:
    clips.build(tmp_path / "st" / "0_CLIPModel")
    (tmp_path / "st" / "modules.json").write_text("[]")
    assert min(exported(tmp_path / "st", "onnx").cosines) > 0.999999


@pytest.mark.parametrize("asked", [{"pooling": "mean"}, {"normalize": False}])
def test_what_clip_is_not_is_refused(tmp_path: Path, asked: dict[str, Any]) -> None:
    folder = clips.build(tmp_path / "clip")
    with pytest.raises(ExportError, match=f"model.yaml says {next(iter(asked))}"):
        exported(folder, "onnx", **asked)


@pytest.mark.parametrize("format", ["torch_script", "onnx"])
def test_the_multilingual_tower_is_an_ordinary_sentence_encoder(tmp_path: Path, format: Format) -> None:
    """As clip-ViT-B-32-multilingual-v1: DistilBERT, the mean of its tokens, a layer to CLIP's dimension."""
    from tests import families

    answer = exported(families.build(tmp_path / "m", "distilbert", dense=True, normalize=False), format)
    assert min(answer.cosines) > 0.999999
