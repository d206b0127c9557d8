"""``python -m bench.captioning``: osform caption beside the plain transformers loop, one picture at a time and batched.

Weights are random unless ``--model`` names a folder: speed depends on sizes, not on what a model has learned. All ways
begin with files on disk and end with texts; loading the model is not counted. On a CPU the texts must be the same.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from osform.flows.captioning import Manner, Model, describe
from osform.flows.picture_inputs import Inputs

# Of one picture at 224 pixels by blip2-opt-2.7b, no prompt: FLOP of seeing and prefill, and of each token after the
# first; bytes of the language model's weights in bf16, which each step of decoding reads, and of a token's cache.
SEEING, TOKEN, WEIGHTS, CACHE = 700.2e9, 5.30e9, 5.29e9, 327_680
PEAKS = {"H200": (990e12, 4.8e12), "H100": (990e12, 3.35e12), "A100": (312e12, 2.039e12)}
"""FLOP and bytes a second of GPUs, dense bf16, by their data sheets."""


@dataclass(frozen=True)
class Timed:
    """Texts, and the seconds that they took: ``starting`` until the first batch was there, ``waiting`` for others."""

    texts: list[str]
    seconds: float
    starting: float = 0.0
    waiting: float = 0.0


@click.command()
@click.option("--size", type=click.Choice(["tiny", "full"]), default="tiny", show_default=True,
              help="Random weights in the sizes of a toy, or of blip2-opt-2.7b.")  # fmt: skip
@click.option("--model", "folder", type=click.Path(path_type=Path, exists=True), help="A BLIP-2 in place of those.")
@click.option("--pictures", "count", type=click.IntRange(1), default=256, show_default=True)
@click.option("--alone", type=click.IntRange(1), default=32, show_default=True, help="Pictures of the one-by-one arm.")
@click.option("--batch", type=click.IntRange(1), default=64, show_default=True)
@click.option("--workers", type=click.IntRange(0), default=2, show_default=True, help="Processes that decode.")
@click.option("--tokens", type=click.IntRange(1), default=20, show_default=True)
@click.option("--side", type=click.IntRange(8), default=256, show_default=True, help="Of the pictures, in pixels.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--device", default="cpu", show_default=True, help="Several for osform; the first for the plain loop.")
@click.option("--compile", "static", is_flag=True, help="osform's arm with --compile.")
@click.option("--threads", type=click.IntRange(0), default=0, help="Of torch. [default: its own choice]")
def main(
    size: str, folder: Path | None, count: int, alone: int, batch: int, workers: int, tokens: int, side: int,
    rounds: int, device: str, static: bool, threads: int,
) -> None:  # fmt: skip
    """Measure, and print pictures a second: medians of interleaved rounds, and what is in between.

    Of osform twice: over all of its time, and over that in which it runs, its first batch being there.
    """
    import torch

    if threads:
        torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as place:
        weights = folder or (_tiny if size == "tiny" else _full)(Path(place) / "weights")
        files = _pictures(Path(place) / "pictures", count, side)
        first, _, _ = device.partition(",")
        plain = _Plain(weights, first, tokens)
        arms: dict[str, Callable[[], Timed]] = {
            "one at a time": lambda: plain.say(files[:alone], 1),
            f"batches of {batch}": lambda: plain.say(files, batch),
            "osform": lambda: _osform(Path(place), weights, files, device, tokens, batch, workers, static),
        }
        for arm in arms.values():
            arm()  # warm: allocators, caches of files, compiled kernels
        rounds_of: dict[str, list[Timed]] = {name: [] for name in arms}
        for number in range(rounds):
            for name in list(arms)[:: -1 if number % 2 else 1]:
                timed = arms[name]()
                rounds_of[name].append(timed)
                if first == "cpu" and timed.texts != plain.known[: len(timed.texts)]:
                    raise click.ClickException(f"{name}: other texts than one at a time")
        rates = {name: [len(each.texts) / each.seconds for each in timed] for name, timed in rounds_of.items()}
        ours = rounds_of["osform"]
        rates["osform, running"] = [len(each.texts) / (each.seconds - each.starting) for each in ours]
        _tell(rates, first, batch, tokens, f"{size if not folder else folder.name}, {count} pictures of {side} pixels")
        _tell_waiting(ours, workers)


def _tell_waiting(ours: Sequence[Timed], workers: int) -> None:
    starting = statistics.median(each.starting for each in ours)
    waiting = statistics.median(each.waiting / (each.seconds - each.starting) for each in ours)
    print(f"osform waited {starting:.2f} s for the first batch while {workers} workers started,")
    print(f"and for later ones, with nothing to compute, in {100 * waiting:.1f} % of the time after that")


def _tell(rates: Mapping[str, Sequence[float]], device: str, batch: int, tokens: int, what: str) -> None:
    import torch

    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else platform.processor() or "CPU"
    print(f"{name}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {what}, {tokens} tokens")
    first = statistics.median(next(iter(rates.values())))
    for arm, values in rates.items():
        middle = statistics.median(values)
        print(f"{arm:<16}{middle:9.1f} a second ({min(values):.1f} to {max(values):.1f}), {middle / first:5.1f} times")
    for gpu, (flops, bandwidth) in PEAKS.items():
        if gpu in name:
            print(f"{'roofline':<16}{roofline(batch, tokens, flops, bandwidth):9.1f} a second, for the full size")


def roofline(batch: int, tokens: int, flops: float, bandwidth: float) -> float:
    """Pictures a second that a GPU could describe at most, by arithmetic and memory: blip2-opt-2.7b in bf16."""
    seconds = batch * SEEING / flops
    for step in range(1, tokens):
        seconds += max(batch * TOKEN / flops, (WEIGHTS + batch * (33 + step) * CACHE) / bandwidth)
    return batch / seconds


class _Plain:
    """transformers as its documentation has it; ``known`` is what it says of each picture alone."""

    def __init__(self, folder: Path, device: str, tokens: int) -> None:
        import torch
        from transformers import Blip2ForConditionalGeneration, Blip2Processor

        dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
        self._processor = Blip2Processor.from_pretrained(folder)
        self._model = Blip2ForConditionalGeneration.from_pretrained(folder, dtype=dtype).to(device).eval()
        self._device, self._dtype, self._tokens = device, dtype, tokens
        self.known: list[str] = []

    def say(self, files: Sequence[Path], batch: int) -> Timed:
        import torch
        from PIL import Image

        said: list[str] = []
        started = time.monotonic()
        for first in range(0, len(files), batch):
            pictures = [Image.open(path).convert("RGB") for path in files[first : first + batch]]
            given = self._processor(images=pictures, return_tensors="pt").to(self._device, self._dtype)
            with torch.no_grad():
                ids = self._model.generate(**given, max_new_tokens=self._tokens, do_sample=False)
            echo = self._model.config.num_query_tokens + 1
            said += [text.strip() for text in self._processor.batch_decode(ids[:, echo:], skip_special_tokens=True)]
        if len(said) > len(self.known):
            self.known = said
        return Timed(said, time.monotonic() - started)


def _osform(
    place: Path, folder: Path, files: Sequence[Path], device: str, tokens: int, batch: int, workers: int, static: bool
) -> Timed:
    out = place / "out.jsonl"
    model = Model(str(folder), device=device, max_new_tokens=tokens, static=static)
    done = describe(
        Inputs(tuple(map(str, files))), out, model, manner=Manner(batch=batch, workers=workers, restart=True)
    )
    texts = [json.loads(line)["description"] for line in out.read_text(encoding="utf-8").splitlines()]
    return Timed(texts, done.run.seconds, done.run.starting, done.run.waiting)


def _pictures(folder: Path, count: int, side: int) -> list[Path]:
    import numpy
    from PIL import Image

    folder.mkdir()
    files = []
    for number in range(count):
        coarse = numpy.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=numpy.uint8)
        path = folder / f"{number:06}.jpg"
        Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(path, quality=90)
        files.append(path)
    return files


def _tiny(folder: Path) -> Path:
    from tests.caption.checkpoints import opt

    return opt(folder)


def _full(folder: Path) -> Path:
    """blip2-opt-2.7b's sizes: 3.7 billion random weights in bf16, 7.5 GB on disk."""
    import torch
    from transformers import Blip2Config, Blip2ForConditionalGeneration, Blip2Processor, BlipImageProcessor, OPTConfig

    from tests.caption.checkpoints import byte_pairs

    words = byte_pairs(["</s>", "<pad>", "<unk>"], True)
    words.bos_token, words.eos_token, words.pad_token = "</s>", "</s>", "<pad>"
    text = OPTConfig(
        vocab_size=50304, hidden_size=2560, word_embed_proj_dim=2560, ffn_dim=10240, num_hidden_layers=32,
        num_attention_heads=32, max_position_embeddings=2048, bos_token_id=0, pad_token_id=1, eos_token_id=50303,
    )  # fmt: skip
    config = Blip2Config(text_config=text.to_dict(), image_token_index=words.convert_tokens_to_ids("<image>"))
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        Blip2ForConditionalGeneration(config).save_pretrained(folder)
    finally:
        torch.set_default_dtype(before)
    Blip2Processor(BlipImageProcessor(size={"height": 224, "width": 224}), words, num_query_tokens=32).save_pretrained(
        folder
    )
    return folder


if __name__ == "__main__":
    main()
