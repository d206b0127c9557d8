"""Toy models that see drawn scenes and nothing else: how they are made, and how well they do."""

from __future__ import annotations

from pathlib import Path

TOY_BLIP2 = Path(__file__).parent / "blip2"
TOY_CLIP = Path(__file__).parent / "clip"
