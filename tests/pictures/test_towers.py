"""CLIP's picture tower sees as transformers does, with the model's own preprocessing."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image

from osform.errors import PictureError
from osform.images.decoding import decode
from osform.pictures import towers
from tests import clips

pytestmark = pytest.mark.export


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.build(tmp_path_factory.mktemp("clip") / "tiny")


def picture(width: int, height: int, mode: str = "RGB") -> Image.Image:
    noise = numpy.random.default_rng(width * height).integers(0, 255, (height // 4 + 1, width // 4 + 1, 3), "uint8")
    return Image.fromarray(noise).resize((width, height)).convert(mode)


def pixels_of(image: Image.Image, tower: towers.Tower) -> Any:
    file = io.BytesIO()
    image.save(file, "PNG")
    decoded = decode(file.getvalue(), tower.decoding)
    assert decoded.pixels is not None, decoded.reason
    return decoded.pixels


@pytest.mark.parametrize(("width", "height"), [(32, 32), (100, 60), (61, 200), (33, 32), (500, 31)])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_picture_of_any_shape_has_the_vector_that_transformers_gives(
    folder: Path, width: int, height: int, mode: str
) -> None:
    import torch
    from transformers import CLIPImageProcessor, CLIPModel

    image = picture(width, height, mode if mode != "CMYK" else "RGB")
    values = CLIPImageProcessor.from_pretrained(folder)(image.convert("RGB"), return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        expected = CLIPModel.from_pretrained(folder).get_image_features(pixel_values=values)[0].numpy()
    tower = towers.load(folder, "cpu")
    (found,) = tower.see(pixels_of(image, tower)[None])
    assert found @ expected / numpy.linalg.norm(expected) > 0.99999
    assert numpy.linalg.norm(found) == pytest.approx(1, abs=1e-5)


def test_a_picture_that_was_indexed_small_is_the_same_one_in_full_size(folder: Path) -> None:
    tower = towers.load(folder, "cpu")
    noise = [numpy.random.default_rng(seed).integers(0, 255, (6, 8, 3), "uint8") for seed in (1, 2)]
    large, another = (Image.fromarray(each).resize((1936, 1452)) for each in noise)
    seen = [tower.see(pixels_of(each, tower)[None])[0] for each in (large, large.resize((200, 150)), another)]
    assert seen[0] @ seen[1] > 0.99
    assert seen[0] @ seen[1] > seen[0] @ seen[2]


def test_a_vector_does_not_depend_on_its_batch(folder: Path) -> None:
    tower = towers.load(folder, "cpu")
    pixels = numpy.stack([pixels_of(picture(40 + n, 50), tower) for n in range(5)])
    assert numpy.allclose(tower.see(pixels)[3], tower.see(pixels[3:4])[0], atol=1e-6)


def test_preprocessing_that_does_not_fit_the_model_is_refused(tmp_path: Path) -> None:
    folder = clips.build(tmp_path / "clip")
    file = folder / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"crop_size": {"height": 48, "width": 48}}))
    with pytest.raises(PictureError, match="the model sees 32 pixels"):
        towers.load(folder, "cpu")


def test_a_model_that_is_no_clip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(PictureError, match="'bert', expected clip"):
        towers.load(tmp_path, "cpu")


def test_a_picture_too_narrow_for_a_square_is_refused(folder: Path) -> None:
    file = io.BytesIO()
    Image.new("RGB", (1, 5000)).save(file, "PNG")
    assert "too narrow" in decode(file.getvalue(), towers.load(folder, "cpu").decoding).reason


class Small:
    """A tower on a device with room for so many pictures at a time, as a GPU that runs out of memory."""

    def __init__(self, model: Any, room: int) -> None:
        self.model, self.room = model, room

    def __call__(self, pixel_values: Any) -> Any:
        import torch

        if len(pixel_values) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.model(pixel_values=pixel_values)


def test_fewer_pictures_at_a_time_are_seen_when_memory_runs_out(folder: Path) -> None:
    tower = towers.load(folder, "cpu")
    pixels = numpy.stack([pixels_of(picture(40 + n, 50), tower) for n in range(7)])
    assert numpy.allclose(replace(tower, model=Small(tower.model, 2)).see(pixels), tower.see(pixels), atol=1e-6)
    with pytest.raises(PictureError, match="the memory of cpu does not suffice for one picture"):
        replace(tower, model=Small(tower.model, 0)).see(pixels)


def test_other_weights_are_another_model_in_the_folders_of_sentence_transformers(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("other", 2)):
        clips.build(tmp_path / name / "0_CLIPModel", seed=seed)
        (tmp_path / name / "modules.json").write_text("[]")
    one, other = (towers.locate(str(tmp_path / name)) for name in ("one", "other"))
    assert (one.folder, one.name) == (tmp_path / "one" / "0_CLIPModel", "one")
    assert one.revision != other.revision


def test_other_weights_are_another_model_in_pickles_too(folder: Path, tmp_path: Path) -> None:
    for name in ("one", "other"):
        shutil.copytree(folder, tmp_path / name, ignore=shutil.ignore_patterns("*.safetensors"))
        (tmp_path / name / "pytorch_model.bin").write_text(name)
    assert towers.locate(str(tmp_path / "one")).revision != towers.locate(str(tmp_path / "other")).revision
