"""Train the toy CLIP from nothing, on one core in an hour: ``python -m examples.toys.train_clip``.

Each step sees some pictures and two phrases of each, and knows which phrase is true of which picture: of "a red boat"
every picture with a red boat is, so all of those are drawn near to it (UniCL, arXiv 2204.03610), and not only its own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor

from examples.toys import TOY_CLIP
from examples.toys.clip_parts import config, new_model, processor
from examples.toys.phrases import Phrase, facts_of, phrases
from examples.toys.train_blip2 import keep, normalised, pictures, taken_up


@dataclass(frozen=True)
class Course:
    """How it is taught. ``state`` is a file from which a training that was cut off goes on."""

    pictures: int
    steps: int
    batch: int
    rate: float
    seed: int
    state: Path | None = None


def loss_of(model: Any, pixels: Tensor, said: Sequence[Phrase], true: Tensor, tokenizer: Any) -> Tensor:
    """``true`` says of each picture and phrase whether it holds, bool of shape [pictures, phrases]."""
    read = tokenizer([each.text for each in said], padding=True, return_tensors="pt")
    texts = torch.nn.functional.normalize(model.get_text_features(**read), dim=-1)
    images = torch.nn.functional.normalize(model.get_image_features(pixels), dim=-1)
    near = model.logit_scale.exp() * images @ texts.T
    wanted = true.float()
    return 0.5 * (_towards(near, wanted) + _towards(near.T, wanted.T))


def _towards(near: Tensor, wanted: Tensor) -> Tensor:
    shares = wanted / wanted.sum(1, keepdim=True)
    return torch.nn.functional.cross_entropy(near, shares)


def train(out: Path, course: Course) -> None:
    torch.manual_seed(course.seed)
    started = time.monotonic()
    pixels, truths = pictures(course.pictures)
    facts = [facts_of(each) for each in truths]
    read = Random(course.seed)
    both = processor([each.text for truth in truths[:3000] for each in phrases(truth, read)])
    model = new_model(config(both.tokenizer))
    optimiser = torch.optim.AdamW(model.parameters(), lr=course.rate, betas=(0.9, 0.98), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, course.rate, total_steps=course.steps, pct_start=0.1)
    kept = {"model": model, "optimiser": optimiser, "schedule": schedule}
    first, mean = taken_up(kept, course.state)
    print(f"{sum(each.numel() for each in model.parameters()):,} weights, from step {first}", flush=True)
    for step in range(first, course.steps):
        random = Random(f"{course.seed} {step}")  # so that what a step does depends on no step before it
        chosen = random.sample(range(course.pictures), course.batch)
        said = [each for number in chosen for each in phrases(truths[number], random)]
        true = torch.tensor([[each.holds(facts[number]) for each in said] for number in chosen])
        loss = loss_of(model, normalised(pixels[chosen], both.image_processor), said, true, both.tokenizer)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=4.6052)  # 100, as OpenAI did
        mean = 0.98 * mean + 0.02 * loss.item() if mean else loss.item()
        if (step + 1) % 50 == 0:
            print(f"{time.monotonic() - started:6.0f} s  step {step + 1}  loss {mean:.4f}", flush=True)
        if (step + 1) % 100 == 0 and course.state:
            keep(kept, step + 1, mean, course.state)
    model.save_pretrained(out)
    both.save_pretrained(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=TOY_CLIP)
    parser.add_argument("--pictures", type=int, default=12_000)
    parser.add_argument("--steps", type=int, default=2_600)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--state", type=Path, help="kept here every hundred steps, and taken up from here if it is there"
    )
    parser.add_argument("--threads", type=int, default=1, help="on a busy machine, one thread is faster than two")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    train(asked.out, Course(asked.pictures, asked.steps, asked.batch, asked.rate, asked.seed, asked.state))


if __name__ == "__main__":
    main()
