"""Tiny CLIPs of random weights, laid out as on the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TEXTS = (
    "a photo of a cat",
    "Two dogs run along the beach, and one of them barks at the sea!",
    "",
    "Schnee, ÜBER den Dächern  der Stadt",
    "one word after another " * 40,
    "a boat",
)
LEGACY_END = 2
"""What OpenAI's configurations say of the end of a text. It is wrong, and transformers takes the highest id instead."""


def build(folder: Path, *, side: int = 32, dimension: int = 16, legacy: bool = True, seed: int = 7) -> Path:
    """A CLIP in ``folder``: both towers, tokenizer and image processor. ``legacy``: as OpenAI's repositories say it."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    from examples.toys.clip_parts import processor

    both = processor(TEXTS)
    tokenizer = both.tokenizer
    both.image_processor.size = {"shortest_edge": side}
    both.image_processor.crop_size = {"height": side, "width": side}
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    text: dict[str, Any] = {**small, "vocab_size": len(tokenizer), "max_position_embeddings": 77}
    text |= {"bos_token_id": tokenizer.bos_token_id, "pad_token_id": tokenizer.pad_token_id}
    text |= {"eos_token_id": LEGACY_END if legacy else tokenizer.eos_token_id, "projection_dim": dimension}
    vision = {**small, "image_size": side, "patch_size": 8, "projection_dim": dimension}
    torch.manual_seed(seed)
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=dimension))
    for parameter in model.parameters():  # wider than is usual, or texts would hardly differ
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.eval().save_pretrained(folder)
    both.save_pretrained(folder)
    return folder
