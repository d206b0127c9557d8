"""CLIP's picture tower: pixels in, unit vectors out, with the preprocessing that the model's own files ask for.

The same for the pictures of an index and for one that is searched with: whoever resizes them differently compares
apples with pears.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osform.errors import InputError, MissingExtra, PictureError
from osform.images import checkpoints
from osform.images.checkpoints import Checkpoint
from osform.images.decoding import Decoding

if TYPE_CHECKING:
    import numpy

REVISIONS = {
    "openai/clip-vit-base-patch32": "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268",
    "openai/clip-vit-large-patch14": "32bd64288804d66eefd0ccbe215aa642df71cc41",
}
"""Commits on the Hub, for models that are named without one."""

_WITHOUT_SAFETENSORS = ("openai/clip-vit-base-patch32",)
_INSIDE = "0_CLIPModel"  # where sentence-transformers keeps CLIP in its own folders
_OPENAI = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


def locate(model: str, revision: str | None = None) -> Checkpoint:
    """A model's folder: itself, or on the Hub. Raises InputError and PictureError."""
    also = ("pytorch_model.bin",) if model in _WITHOUT_SAFETENSORS else ()
    found = checkpoints.locate(model, revision, REVISIONS, extra="pictures", also=also)
    inside = found.folder / _INSIDE
    if not inside.is_dir():
        return found
    # Of a folder the revision is that of its weights, which lie inside: what is around them is the same for all.
    return Checkpoint(inside, found.name, checkpoints.digest(inside) if Path(model).is_dir() else found.revision)


@dataclass(frozen=True)
class Tower:
    """The tower in memory. Vectors have ``dimension`` numbers and the length 1."""

    model: Any
    decoding: Decoding
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    dimension: int
    device: str

    def see(self, pixels: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
        """float32 of shape (pictures, dimension) for uint8 of shape (pictures, 3, side, side).

        As many at a time as find room on the device. Raises PictureError where it has none for one picture.
        """
        import numpy
        import torch

        seen: list[numpy.ndarray[Any, Any]] = []
        first, most = 0, len(pixels)
        while first < len(pixels):
            try:
                seen.append(self._seen(pixels[first : first + most]))
                first += most
            except torch.OutOfMemoryError as error:
                if most == 1:
                    raise PictureError(
                        f"the memory of {self.device} does not suffice for one picture", hint="another --device"
                    ) from error
                most //= 2
        return numpy.concatenate(seen)

    def _seen(self, pixels: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
        import torch

        values = torch.from_numpy(pixels).to(self.device).float() / 255.0
        mean, deviation = (
            torch.tensor(each, device=self.device).view(1, 3, 1, 1) for each in (self.mean, self.deviation)
        )
        with torch.inference_mode():
            embeds = self.model(pixel_values=(values - mean) / deviation).image_embeds
            found: numpy.ndarray[Any, Any] = torch.nn.functional.normalize(embeds, dim=-1).cpu().numpy()
        return found


def load(folder: Path, device: str | None = None) -> Tower:
    """The picture tower of a folder; ``device`` is torch's name, None for a GPU where there is one.

    Raises MissingExtra, InputError for a device that is not there, PictureError for a model that can't be loaded.
    """
    try:
        import torch
        from transformers import CLIPVisionModelWithProjection
    except ImportError as error:
        raise MissingExtra("pictures", "vectors of pictures", error) from error
    kind = checkpoints.settings(folder, "config.json").get("model_type")
    if kind not in ("clip", "clip_vision_model"):
        raise PictureError(
            f"{folder}: config.json says model_type {kind!r}, expected clip",
            hint="openai/clip-vit-base-patch32 and its relatives",
        )
    try:
        model, told = CLIPVisionModelWithProjection.from_pretrained(
            str(folder), local_files_only=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise PictureError(f"{folder}: its weights can't be loaded: {error}") from error
    if told["missing_keys"]:
        raise PictureError(f"{folder}: {len(told['missing_keys'])} weights of the picture tower are not there")
    where = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        model = model.to(where).float().eval().requires_grad_(False)
    except torch.OutOfMemoryError as error:
        raise PictureError(
            f"{folder}: the memory of {where} does not suffice for the model", hint="--device cpu, or another GPU"
        ) from error
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"--device {where}: not on this machine", hint="cpu, or leave it out") from error
    mean, deviation, decoding = _preprocessing(folder, int(model.config.image_size))
    return Tower(model, decoding, mean, deviation, int(model.config.projection_dim), where)


def _preprocessing(folder: Path, side: int) -> tuple[tuple[float, ...], tuple[float, ...], Decoding]:
    said = checkpoints.settings(folder, "preprocessor_config.json")
    said = said or checkpoints.settings(folder, "processor_config.json").get("image_processor", {})
    mean, deviation = (
        tuple(map(float, said.get(key, usual))) for key, usual in zip(("image_mean", "image_std"), _OPENAI, strict=True)
    )
    size, crop = said.get("size", {"shortest_edge": side}), said.get("crop_size", side)
    square = isinstance(size, dict) and "height" in size
    edge = int((size.get("height") or size.get("shortest_edge", side)) if isinstance(size, dict) else size)
    seen = int(crop["height"] if isinstance(crop, dict) else crop)
    cropped = said.get("do_center_crop", True) and not square
    if (seen if cropped else edge) != side:
        found = json.dumps({"size": size, "crop_size": crop})
        raise PictureError(f"{folder}: preprocessor_config.json makes {found}, and the model sees {side} pixels")
    return mean, deviation, Decoding(edge, int(said.get("resample", 3)), crop=seen if cropped else None)
