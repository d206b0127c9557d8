"""Bytes to pixels: every mode of a picture, and a reason for what is none."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy
import pytest

from osform.images.decoding import Decoding, decode, in_rgb, read, thumbnail
from tests.caption import hard
from tests.caption.drawn import picture

HOW = Decoding(32)


def pixels(content: bytes) -> Any:
    found = decode(content, HOW)
    assert found.pixels is not None, found.reason
    return found.pixels


def saved(image: Any, kind: str = "PNG", **how: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **how)
    return content.getvalue()


def test_each_of_sixty_hard_files_is_decoded_or_has_its_reason(tmp_path: Path) -> None:
    expected = hard.make(tmp_path / "hard")
    assert len(expected) == 60
    for name, reason in expected.items():
        found = read(str(tmp_path / "hard" / name), HOW)
        assert (found.pixels is None) == (reason is not None), (name, found.reason)
        assert (reason or "") in found.reason, name
        assert found.pixels is None or found.pixels.shape == (3, 32, 32)


def test_what_the_camera_turned_is_turned_back() -> None:
    from PIL import Image

    upright = picture(1)
    exif = Image.Exif()
    exif[274] = 6
    turned = saved(upright.transpose(Image.Transpose.ROTATE_90), exif=exif)
    assert numpy.array_equal(pixels(turned), pixels(saved(upright)))


def test_sixteen_bits_become_eight_rather_than_white() -> None:
    from PIL import Image

    values = numpy.linspace(0, 65535, 64, dtype=numpy.uint16).reshape(8, 8)
    eight = numpy.asarray(in_rgb(Image.fromarray(values)))[..., 0]
    assert (eight[0, 0], eight[-1, -1]) == (0, 255)
    assert len(numpy.unique(eight)) > 60


def test_what_shows_through_is_put_on_white() -> None:
    from PIL import Image

    clear = Image.new("RGBA", (8, 8), (200, 0, 0, 0))
    assert numpy.asarray(in_rgb(clear)).min() == 255


def test_an_animation_is_its_first_frame() -> None:
    frames = [picture(n) for n in range(3)]
    animated = saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert numpy.array_equal(pixels(animated), pixels(saved(frames[0])))


def test_a_picture_that_is_too_large_is_not_decoded() -> None:
    reason = decode(saved(picture(1, (100, 90))), Decoding(32, most_pixels=8_999)).reason
    assert reason == "100 x 90 pixels, at most 8,999 are decoded"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(saved(picture(1)))
    assert "at most 10 are read" in read(str(tmp_path / "large.png"), Decoding(32, most_bytes=10)).reason


def test_quick_decoding_of_a_jpeg_is_close_to_the_slow_one() -> None:
    from PIL import Image

    large = saved(picture(1).resize((640, 480), Image.Resampling.BICUBIC), "JPEG", quality=95)
    slow, quick = (decode(large, Decoding(32, quick=quick)).pixels for quick in (False, True))
    assert slow is not None
    assert quick is not None
    assert numpy.abs(slow.astype(int) - quick.astype(int)).mean() < 3


@pytest.mark.parametrize("seed", range(4))
def test_damaged_bytes_never_raise(seed: int) -> None:
    random = numpy.random.default_rng(seed)
    for kind in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"):
        content = bytearray(saved(picture(seed), kind))
        for place in random.integers(0, len(content), 20):
            content[place] = random.integers(0, 256)
        found = decode(bytes(content), HOW)
        assert (found.pixels is None) == bool(found.reason)


def test_a_pipe_is_neither_waited_for_nor_a_picture(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    assert read(str(tmp_path / "a.png"), HOW).reason == "not a file"
    assert thumbnail(None, str(tmp_path / "a.png"), 32, 1_000_000) == ""


def test_a_thumbnail_is_not_made_of_what_is_too_large_to_be_read(tmp_path: Path) -> None:
    picture(1).save(tmp_path / "a.png")
    assert thumbnail(None, str(tmp_path / "a.png"), 32, 1_000_000).startswith("data:image/jpeg;base64,")
    assert thumbnail(None, str(tmp_path / "a.png"), 32, 1_000_000, most_bytes=10) == ""
