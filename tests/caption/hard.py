"""A folder of sixty files that make captioners fall over, and for each whether it is described or why not."""

from __future__ import annotations

import io
import os
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

from tests.caption.drawn import picture

NAMES = ["été à la plage", "東京タワー", "Привет мир", "مرحبا", "नमस्ते", "emoji 🐈", "a b  c", "quote'\"s", "percent%20",
         "newline\nname", "-dash", "comma,semi;"]  # fmt: skip


def _saved(image: Any, kind: str, **how: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **how)
    return content.getvalue()


def _modes() -> dict[str, bytes]:
    import numpy
    from PIL import Image

    base, deep = picture(1), numpy.linspace(0, 65535, 48 * 40).reshape(40, 48)
    frames = [picture(n) for n in range(3)]
    turned = Image.Exif()
    turned[274] = 6
    return {
        "plain.jpg": _saved(base, "JPEG"),
        "progressive.jpg": _saved(base, "JPEG", progressive=True),
        "cmyk.jpg": _saved(base.convert("CMYK"), "JPEG"),
        "grey.jpg": _saved(base.convert("L"), "JPEG"),
        "turned.jpg": _saved(base, "JPEG", exif=turned),
        "rgba.png": _saved(base.convert("RGBA"), "PNG"),
        "palette.png": _saved(base.convert("P"), "PNG"),
        "palette-through.png": _saved(base.convert("P"), "PNG", transparency=0),
        "grey-alpha.png": _saved(base.convert("LA"), "PNG"),
        "bits.png": _saved(base.convert("1"), "PNG"),
        "16-bit.png": _saved(Image.fromarray(deep.astype(numpy.uint16)), "PNG"),
        "16-bit.tiff": _saved(Image.fromarray(deep.astype(numpy.uint16)), "TIFF"),
        "32-bit.tiff": _saved(Image.fromarray(deep.astype(numpy.int32)), "TIFF"),
        "float.tiff": _saved(Image.fromarray((deep / 65535).astype(numpy.float32)), "TIFF"),
        "lab.tiff": _saved(base.convert("LAB"), "TIFF"),
        "cmyk.tiff": _saved(base.convert("CMYK"), "TIFF"),
        "pages.tiff": _saved(base, "TIFF", save_all=True, append_images=frames),
        "animated.gif": _saved(frames[0].convert("P"), "GIF", save_all=True, append_images=frames[1:]),
        "animated.webp": _saved(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
        "animated.png": _saved(frames[0], "PNG", save_all=True, append_images=frames[1:]),
        "lossless.webp": _saved(base, "WEBP", lossless=True),
        "old.bmp": _saved(base, "BMP"),
        "icon.ico": _saved(base.resize((32, 32)), "ICO"),
        "portable.ppm": _saved(base, "PPM"),
        "one.png": _saved(base.resize((1, 1)), "PNG"),
        "thin.png": _saved(base.resize((3000, 1)), "PNG"),
        "tall.jpg": _saved(base.resize((1, 2000)), "JPEG"),
        "png called.jpg": _saved(base, "PNG"),
        "jpeg called.png": _saved(base, "JPEG"),
        "picture called.txt": _saved(base, "PNG"),
        "without a suffix": _saved(base, "GIF"),
        "UPPER.JPG": _saved(picture(2), "JPEG"),
        "same bytes 1.png": _saved(picture(3), "PNG"),
        "same bytes 2.png": _saved(picture(3), "PNG"),
    }


def _bad() -> dict[str, tuple[bytes, str]]:
    jpeg, png = _saved(picture(4), "JPEG", quality=95), _saved(picture(4), "PNG")
    return {
        "empty.jpg": (b"", "an empty file"),
        "text.jpg": (b"this is no picture at all", "no picture of a kind that is read"),
        "page.png": (b"<!doctype html><title>404</title>", "no picture of a kind that is read"),
        "vector.svg.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture of a kind that is read"),
        "script.eps.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture of a kind that is read"),
        "truncated.jpg": (jpeg[: len(jpeg) // 2], "damaged"),
        "truncated.png": (png[: len(png) // 2], "damaged"),
        "header only.png": (png[:40], "no picture of a kind that is read"),
        "flipped.png": (_flipped(png), "damaged"),
        "bomb.png": (_header(30_000, 30_000), "30000 x 30000 pixels, at most"),
        "zeros.jpg": (bytes(5000), "no picture of a kind that is read"),
    }


def _flipped(png: bytes) -> bytes:
    place = png.index(b"IDAT") + 8
    return png[:place] + bytes(255 - byte for byte in png[place : place + 8]) + png[place + 8 :]


def _header(width: int, height: int) -> bytes:
    """The beginning of a PNG that says it is huge."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def make(folder: Path) -> dict[str, str | None]:
    """Make the files; by name a piece of the reason that is expected, or None for one that is described."""
    folder.mkdir(parents=True)
    expected: dict[str, str | None] = {}
    for name, content in _modes().items():
        (folder / name).write_bytes(content)
        expected[name] = None
    for number, name in enumerate(NAMES):
        (folder / f"{name}.png").write_bytes(_saved(picture(10 + number), "PNG"))
        expected[f"{name}.png"] = None
    for name, (content, reason) in _bad().items():
        (folder / name).write_bytes(content)
        expected[name] = reason
    (folder / "broken link.jpg").symlink_to(folder / "nowhere.jpg")
    expected["broken link.jpg"] = "a link to a file that is not there"
    os.mkfifo(folder / "pipe.jpg")
    expected["pipe.jpg"] = "not a file"
    if os.geteuid():
        shutil.copy(folder / "plain.jpg", folder / "unreadable.jpg")
        (folder / "unreadable.jpg").chmod(0)
    else:  # root may read everything: this one breaks off while it is read
        (folder / "unreadable.jpg").symlink_to("/proc/self/mem")
    expected["unreadable.jpg"] = "can't be read"
    return expected
