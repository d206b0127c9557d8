"""CLIP's text tower as a text embedding model: what finds pictures by text, without a model where the question is.

A picture's vector and a text's can be compared after the projections alone, and a text's is taken at its end
(Radford et al., arXiv 2103.00020; transformers, ``CLIPTextModelWithProjection``). Mean pooling without projection has
the right dimension as well, and finds nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osform.errors import ExportError
from osform.export.encoder import Encoder, unreadable
from osform.export.jobs import Job

if TYPE_CHECKING:
    import numpy

TYPES = ("clip", "clip_text_model")
# Where sentence-transformers keeps CLIP in its own folders, clip-ViT-B-32 among them.
_INSIDE = "0_CLIPModel"


def folder_of(source: Path) -> Path | None:
    """The folder with CLIP in a source, or None where it is another model."""
    for folder in (source, source / _INSIDE):
        if _type_in(folder / "config.json") in TYPES:
            return folder
    return None


def _type_in(config: Path) -> Any:
    try:
        content = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None  # if it is there, its loader will say so
    return content.get("model_type") if isinstance(content, dict) else None


@dataclass(frozen=True)
class TextTower(Encoder):
    """The tower in memory; ``source`` is transformers' model, with whose answers a bundle is compared."""

    source: Any = None

    @property
    def model_type(self) -> str:
        """The architecture as transformers calls it."""
        return "clip"

    @property
    def space_type(self) -> str:
        """Unit vectors, compared by their angle."""
        return "cosinesimil"

    @property
    def _reads(self) -> int:
        return 2

    def encode(self, texts: Sequence[str]) -> list[numpy.ndarray[Any, Any]]:
        """transformers' own answers of shape (dimension,), one text at a time, cut and normalised."""
        import torch

        tokenizer, found = self.model.tokenizer, []
        for text in texts:
            read = tokenizer([text], truncation=True, max_length=self.max_length, return_tensors="pt")
            with torch.inference_mode():
                embeds = self.source(input_ids=read["input_ids"], attention_mask=read["attention_mask"]).text_embeds
            found.append(torch.nn.functional.normalize(embeds, dim=-1)[0].numpy())
        return found


def load(job: Job, folder: Path, attention: str | None) -> TextTower:
    """The tower of a folder. Raises ExportError where it can't be loaded or model.yaml asks for what it isn't."""
    import torch
    from transformers import AutoTokenizer, CLIPTextModelWithProjection

    _refuse(job, folder)
    options = {"attn_implementation": attention} if attention else {}
    try:
        model, told = CLIPTextModelWithProjection.from_pretrained(
            str(folder), local_files_only=True, output_loading_info=True, **options
        )
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except Exception as error:  # as in encoder.load
        raise unreadable("transformers", folder, error) from error
    if told["missing_keys"]:
        missing = ", ".join(sorted(told["missing_keys"])[:2])
        raise ExportError(f"{folder}: weights are missing, {missing} among them", hint="is it CLIP with both towers?")
    if not getattr(tokenizer, "is_fast", False):
        raise ExportError(f"{folder}: expected a tokenizer that becomes a tokenizer.json, found a slow one")
    model = model.float().eval().requires_grad_(False)

    class Sentence(torch.nn.Module):  # type: ignore[misc]  # mypy does not look into torch
        """As sentence-transformers' models are called, which is as the server calls them."""

        __module__ = "osform"  # in the archive, whose bytes shall not change when code here moves

        def __init__(self) -> None:
            super().__init__()
            self.tower = model

        def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            ids, mask = features["input_ids"], features["attention_mask"]
            embeds = self.tower(input_ids=ids, attention_mask=mask).text_embeds
            return {"sentence_embedding": torch.nn.functional.normalize(embeds, dim=-1)}

    sentence = Sentence().eval()
    sentence.tokenizer = tokenizer
    return TextTower(sentence, _limit(job, model), "text_embedding", model)


def _limit(job: Job, model: Any) -> int:
    """Tokens that are read, both ends included: 77 of OpenAI's."""
    own = int(model.config.max_position_embeddings)
    if job.max_length is not None and job.max_length > own:
        raise ExportError(f"model.yaml says max_length: {job.max_length}, but the source reads {own} tokens at most")
    return job.max_length or own


def _refuse(job: Job, folder: Path) -> None:
    """What model.yaml may say of other models."""
    if job.function_name != "text_embedding":
        raise ExportError(f"{folder} is CLIP, which makes vectors; model.yaml says {job.function_name}")
    if job.precision == "int8":
        raise ExportError(f"{folder}: CLIP's text tower is not made in 8 bits", hint="exports: {onnx: [fp16]}")
    asked = {
        "pooling": job.pooling,
        "projection": job.projection,
        "normalize": None if job.normalize else job.normalize,
    }
    for key, value in asked.items():
        if value is not None:
            raise ExportError(
                f"model.yaml says {key}: CLIP takes the vector at the end of the text, projects and normalises it",
                hint=f"leave {key} out",
            )
