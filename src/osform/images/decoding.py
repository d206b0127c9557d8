"""Bytes of a picture to the pixels that a model sees; runs in processes that have Pillow and numpy and nothing else.

A picture that can't be used is a ``Decoded`` with a reason, never an exception: one bad picture stops nothing.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "ICO", "TGA")
"""Formats that are decoded. Others of Pillow's run other programs (EPS) or are no pictures of things."""

MOST_PIXELS = 150_000_000
MOST_BYTES = 100_000_000
_LONGEST = 65_500  # pixels of a side, enlarged
_WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Decoding:
    """How pictures are decoded: to squares of ``size`` pixels, resized by Pillow's filter ``resample``.

    With ``crop`` the shorter side becomes ``size``, and the square of ``crop`` pixels in the middle is what is seen.
    ``most_pixels`` and ``most_bytes`` are limits of a picture; ``quick`` lets libjpeg scale down while it decodes,
    which is three times as fast and gives slightly other pixels.
    """

    size: int
    resample: int = 3
    most_pixels: int = MOST_PIXELS
    most_bytes: int = MOST_BYTES
    quick: bool = False
    crop: int | None = None


@dataclass(frozen=True)
class Decoded:
    """The SHA-256 of a picture's bytes and its pixels, uint8 of shape (3, size, size); or a ``reason`` why not.

    ``seconds`` is what reading and decoding took.
    """

    sha256: str = ""
    pixels: numpy.ndarray[Any, Any] | None = None
    reason: str = ""
    seconds: float = 0.0


def prepare() -> None:
    """Import what decoding needs, ahead of the first picture."""
    from PIL import Image

    Image.init()


def read(path: str, how: Decoding) -> Decoded:
    """Read and decode a file."""
    try:
        content = bytes_of(path, how.most_bytes)
    except Unfit as error:
        return Decoded(reason=str(error))
    return decode(content, how)


def bytes_of(path: str, most_bytes: int) -> bytes:
    """The bytes of a file. Raises Unfit, also for what is none: a pipe would be waited for, a device read for ever."""
    try:
        file = Path(path)
        if file.is_symlink() and not file.exists():
            raise Unfit("a link to a file that is not there")
        if not file.is_file():
            raise Unfit("no such file" if not file.exists() else "not a file")
        size = file.stat().st_size
        if size > most_bytes:
            raise Unfit(f"{size:,} bytes, at most {most_bytes:,} are read")
        return file.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null character in a name
        raise Unfit(f"can't be read: {getattr(error, 'strerror', None) or error}") from error


def decode(content: bytes, how: Decoding) -> Decoded:
    """Decode a picture's bytes."""
    digest = hashlib.sha256(content).hexdigest()
    if not content:
        return Decoded(digest, reason="an empty file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata that is damaged, and of sizes, which are looked at below
            return Decoded(digest, _pixels(content, how))
    except Unfit as error:
        return Decoded(digest, reason=str(error))
    except MemoryError:
        return Decoded(digest, reason="not enough memory to decode it")
    except Exception as error:  # noqa: BLE001 - Pillow's plugins raise whatever their formats make them stumble over
        return Decoded(digest, reason=f"damaged: {type(error).__name__}: {error}"[:300])


class Unfit(Exception):
    """A picture that is refused, with the reason."""


def thumbnail(content: bytes | None, path: str, side: int, most_pixels: int, most_bytes: int = MOST_BYTES) -> str:
    """A small JPEG of a picture as a ``data:`` address; empty for one that can't be decoded."""
    import base64

    try:
        content = bytes_of(path, most_bytes) if content is None else content
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            small = in_rgb(opened(content, most_pixels, side))
        small.thumbnail((side, side))
        jpeg = io.BytesIO()
        small.save(jpeg, "JPEG", quality=80)
    except Exception:  # noqa: BLE001 - whatever a damaged picture raises; its line says why it is not described
        return ""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.getvalue()).decode()


def _pixels(content: bytes, how: Decoding) -> numpy.ndarray[Any, Any]:
    import numpy

    upright = opened(content, how.most_pixels, how.size if how.quick else None)
    square = _square(in_rgb(upright), how)
    return numpy.ascontiguousarray(numpy.asarray(square, dtype=numpy.uint8).transpose(2, 0, 1))


def _square(picture: Image, how: Decoding) -> Image:
    if how.crop is None:
        return picture.resize((how.size, how.size), resample=how.resample)
    short, long = sorted(picture.size)
    scaled = tuple(how.size if side == short else int(how.size * long / short) for side in picture.size)
    if max(scaled) > _LONGEST:
        raise Unfit(f"{picture.width} x {picture.height} pixels: too narrow to be seen as a square")
    whole = picture.resize(scaled, resample=how.resample)
    left, top = ((side - how.crop) // 2 for side in whole.size)
    return whole.crop((left, top, left + how.crop, top + how.crop))


def opened(content: bytes, most_pixels: int, quick: int | None) -> Image:
    """A picture as it was meant to be seen: the first frame of an animation, the first page of several, upright."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # the limit below is ours, with a reason that says its size
    try:
        Image.init()
        picture = Image.open(io.BytesIO(content), formats=[each for each in FORMATS if each in Image.OPEN])
    except UnidentifiedImageError:
        raise Unfit(f"no picture of a kind that is read: it begins with {content[:12]!r}") from None
    with picture:
        width, height = picture.size
        if width * height > most_pixels:
            raise Unfit(f"{width} x {height} pixels, at most {most_pixels:,} are decoded")
        if quick:
            picture.draft("RGB", (2 * quick, 2 * quick))
        picture.load()
        ImageOps.exif_transpose(picture, in_place=True)  # a copy of 100 million pixels would be 400 MB more
        return picture


def in_rgb(picture: Image) -> Image:
    """Eight bits a channel, red, green and blue; what shows through is put on white."""
    from PIL import Image

    if picture.mode.startswith("I") or picture.mode == "F":
        return _in_8_bits(picture).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        above = picture.convert("RGBA")
        below = Image.new("RGBA", above.size, (*_WHITE, 255))
        return Image.alpha_composite(below, above).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _in_8_bits(picture: Image) -> Image:
    """A picture of 16 or 32 bits; Pillow's own conversion would cut all beyond 255 to white."""
    import numpy
    from PIL import Image

    values = numpy.asarray(picture, dtype=numpy.float64)
    values = numpy.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    if picture.mode == "F":
        low, high = (0.0, 1.0) if values.min() >= 0 and values.max() <= 1 else (values.min(), values.max())
    else:
        low, high = 0.0, 255.0 if values.max() <= 255 and picture.mode == "I" else 65535.0
    scaled = (values - low) * (255.0 / ((high - low) or 1.0))
    return Image.fromarray(numpy.clip(numpy.rint(scaled), 0, 255).astype(numpy.uint8))
