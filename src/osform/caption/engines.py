"""Models that describe pictures behind one interface, and how they are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from osform.errors import CaptionError, InputError, MissingExtra
from osform.images import checkpoints

if TYPE_CHECKING:
    import numpy

Precision = Literal["fp32", "bf16", "fp16"]
REVISIONS = {
    "Salesforce/blip2-opt-2.7b": "59a1ef6c1e5117b3f65523d1c6066825bcf315e3",
    "Salesforce/blip2-flan-t5-xl": "0eb0d3b46c14c1f8c7680bca2693baafdb90bb28",
    "Salesforce/blip-image-captioning-large": "353689b859fcf0523410b1806dace5fb46ecdf41",
    "Salesforce/blip-image-captioning-base": "82a37760796d32b1411fe092ab5d4e227313294b",
}
"""Commits on the Hub that hold safetensors and fit transformers 4.57. Another model needs its revision named."""

EPSILON = 1e-6
"""Of the layer norms of the vision transformers of BLIP and BLIP-2 (LAVIS, ``eva_vit.py``; BLIP, ``vit.py``).

Old configurations on the Hub say 1e-5, with which captions differ from the original's.
"""
_OPENAI = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


class Engine(Protocol):
    """A model in memory. What it says of a picture depends on that picture and its prompt alone."""

    @property
    def limit(self) -> int:
        """Tokens of text that a prompt may have."""
        ...

    @property
    def answers(self) -> bool:
        """Whether it was trained to answer questions."""
        ...

    def see(self, pixels: numpy.ndarray[Any, Any]) -> Any:
        """What the language model is shown of pictures, uint8 of shape (pictures, 3, size, size)."""
        ...

    def say(self, seen: Any, rows: Sequence[tuple[int, str]]) -> list[str]:
        """The text for each row, which is the number of a picture in ``seen`` and a prompt. One batch."""
        ...

    def count(self, prompt: str) -> int:
        """Tokens of a prompt, as it is counted against ``limit``."""
        ...


@dataclass(frozen=True)
class Loading:
    """What is loaded, where to (a torch device), and how it decodes.

    ``static`` keeps keys and values in tensors of fixed shape, which transformers compiles the decoding for on a GPU.
    """

    folder: Path
    device: str = "cpu"
    precision: Precision = "fp32"
    max_new_tokens: int = 30
    static: bool = False


@dataclass(frozen=True)
class Sight:
    """How a model wants its pixels: the side of the square, the filter, and mean and deviation of each channel."""

    size: int
    resample: int
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def normalised(self, pixels: numpy.ndarray[Any, Any], device: str) -> Any:
        """Float tensor of shape (pictures, 3, size, size); done on the device, since bytes travel faster."""
        import torch

        values = torch.from_numpy(pixels).to(device).float() / 255.0
        mean, deviation = (torch.tensor(each, device=device).view(1, 3, 1, 1) for each in (self.mean, self.deviation))
        return (values - mean) / deviation


def sight(folder: Path) -> Sight:
    """How the model in a folder wants its pixels.

    The side is the vision model's, whatever the image processor says: it is 384 by default, and BLIP-2's is 224.
    """
    config = checkpoints.settings(folder, "config.json")
    size = config.get("vision_config", {}).get("image_size", 384 if config.get("model_type") == "blip" else 224)
    said = checkpoints.settings(folder, "preprocessor_config.json")
    if not said:
        said = checkpoints.settings(folder, "processor_config.json").get("image_processor", {})
    mean, deviation = (
        tuple(said.get(key, usual)) for key, usual in zip(("image_mean", "image_std"), _OPENAI, strict=True)
    )
    return Sight(int(size), int(said.get("resample", 3)), mean, deviation)


def load(loading: Loading) -> Engine:
    """The model in a folder, as an engine. Raises CaptionError for one that can't be loaded."""
    kind = checkpoints.settings(loading.folder, "config.json").get("model_type")
    try:
        if kind == "blip-2":
            from osform.caption.blip2 import load as load_blip2

            return load_blip2(loading)
        if kind == "blip":
            from osform.caption.blip import load as load_blip

            return load_blip(loading)
    except ImportError as error:
        raise MissingExtra("caption", "describing pictures", error) from error
    raise CaptionError(
        f"{loading.folder}: config.json says model_type {kind!r}, expected blip-2 or blip",
        hint="Salesforce/blip2-opt-2.7b and its relatives, or Salesforce/blip-image-captioning-large",
    )


def weights(kind: Any, config: Any, loading: Loading) -> Any:
    """The model of a class with the weights of a folder, every one of them, ready to be asked.

    Raises CaptionError where weights are missing, have other shapes, or are not safetensors, or find no room.
    """
    import torch

    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    try:
        model, told = kind.from_pretrained(
            loading.folder,
            config=config,
            dtype=dtypes[loading.precision],
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise CaptionError(f"{loading.folder}: its weights can't be loaded: {error}") from error
    missing = sorted(told["missing_keys"])
    if missing:
        raise CaptionError(f"{loading.folder}: {len(missing)} weights are not there, {missing[0]} the first of them")
    try:
        return model.to(loading.device).eval().requires_grad_(False)
    except torch.OutOfMemoryError as error:
        raise CaptionError(
            f"{loading.folder}: the memory of {loading.device} does not suffice for the model",
            hint="another --device, a smaller --model, or what else is on the device ended",
        ) from error


def tokenizer(folder: Path) -> Any:
    """The tokenizer in a folder. Raises CaptionError where there is none that can be loaded."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # the Rust library raises plain Exception for files that it does not understand
        raise CaptionError(
            f"{folder}: its tokenizer can't be loaded: {error}",
            hint="tokenizer files and transformers have to fit: take the revision that osform pins",
        ) from error


def devices(asked: str | None) -> tuple[str, ...]:
    """The devices to work on: those asked for, separated by commas, else every GPU, else the CPU.

    Raises InputError for one that is not there.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("caption", "describing pictures", error) from error
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked is None:
        return tuple(f"cuda:{number}" for number in range(count)) or ("cpu",)
    names = tuple(name.strip() for name in asked.split(","))
    there = {"cpu", "mps", "cuda", *(f"cuda:{number}" for number in range(count))} - ({"cuda"} if not count else set())
    for name in names:
        if name not in there:
            raise InputError(f"--device {name}: not on this machine", hint=f"there are: {', '.join(sorted(there))}")
    return names
