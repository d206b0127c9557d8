"""Pictures to describe: noise and colour from a number, so that each is another and always the same."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any


def picture(number: int, size: tuple[int, int] = (48, 40)) -> Any:
    """A picture, as Pillow has it."""
    import numpy
    from PIL import Image

    random = numpy.random.default_rng(number)
    coarse = random.integers(0, 256, (5, 5, 3), dtype=numpy.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.NEAREST)


def png(number: int) -> bytes:
    """A picture's file."""
    content = io.BytesIO()
    picture(number).save(content, "PNG")
    return content.getvalue()


def folder_of(folder: Path, count: int) -> Path:
    """A folder of PNGs."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number:04}.png").write_bytes(png(number))
    return folder
