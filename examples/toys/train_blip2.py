"""Train the toy BLIP-2 from nothing, on two cores: ``python -m examples.toys.train_blip2``.

Twenty thousand drawn pictures, none of which is among those that tests and demo draw: their seeds differ. What is saved
is what the Hub's checkpoints of Blip2ForConditionalGeneration have, so it is loaded as they are.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import Blip2Config, Blip2ForConditionalGeneration, Blip2Processor

from examples.drawn import Scene, draw
from examples.toys import TOY_BLIP2
from examples.toys.lessons import Lesson, first_lessons, later_lessons
from examples.toys.parts import config, processor, seen_at

TRAINED_ON = 1_000_000  # the seeds of what is drawn to learn from begin here
CHUNK = 500
IGNORED = -100
CYCLE = 4_500  # steps of the one cycle that the learning rate would go through, were it not left earlier


def pictures(count: int) -> tuple[Tensor, list[Scene]]:
    """Pixels as bytes of shape [count, side, side, 3], and what they show."""
    with get_context("spawn").Pool(2) as pool:
        chunks = pool.map(_chunk, range(count // CHUNK))
    pixels = torch.from_numpy(np.concatenate([each for each, _ in chunks]))
    return pixels, [truth for _, truths in chunks for truth in truths]


def _chunk(number: int) -> tuple[Any, list[Scene]]:
    drawn = draw(CHUNK, TRAINED_ON + number)
    return np.stack([np.asarray(seen_at(each.image)) for each in drawn]), [each.truth for each in drawn]


def normalised(pixels: Tensor, images: Any) -> Tensor:
    """As the image processor does it: [batch, 3, side, side]."""
    mean, std = torch.tensor(images.image_mean), torch.tensor(images.image_std)
    return ((pixels / 255 - mean) / std).permute(0, 3, 1, 2).contiguous()


Tokens = Callable[[str], list[int]]


def tokens_of(tokenizer: Any) -> Tokens:
    """The tokens of a piece of text; the same pieces come again and again."""

    @cache
    def tokens(text: str) -> list[int]:
        found: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    return tokens


def encoded(batch: Sequence[Lesson], tokenizer: Any, read: Tokens, image_tokens: int) -> tuple[Tensor, Tensor, Tensor]:
    """Ids, attention mask and labels, padded on the left: images' tokens, padding, the text from ``</s>`` on."""
    rows = []
    for lesson in batch:
        ids, labels = [tokenizer.bos_token_id], [IGNORED]
        for part in lesson:
            tokens = read(part.text)
            ids += tokens
            labels += tokens if part.learned else [IGNORED] * len(tokens)
        rows.append((ids, labels))
    longest = max(len(ids) for ids, _ in rows)
    image = tokenizer.convert_tokens_to_ids("<image>")
    pads = [longest - len(ids) for ids, _ in rows]
    table = [
        [image] * image_tokens + [tokenizer.pad_token_id] * pad + ids for pad, (ids, _) in zip(pads, rows, strict=True)
    ]
    mask = [[1] * image_tokens + [0] * pad + [1] * (longest - pad) for pad in pads]
    learned = [[IGNORED] * (image_tokens + pad) + labels for pad, (_, labels) in zip(pads, rows, strict=True)]
    return torch.tensor(table), torch.tensor(mask), torch.tensor(learned)


def loss_of(model: Any, pixels: Tensor, batch: Sequence[Sequence[Lesson]], tokenizer: Any, read: Tokens) -> Tensor:
    """Each picture is looked at once, whatever is said of it; the short is not padded to the length of the long."""
    seen = model.get_image_features(pixels)
    losses = [_said(model, seen, lesson, tokenizer, read) for lesson in zip(*batch, strict=True)]
    return torch.stack(losses).mean()


def _said(model: Any, seen: Tensor, batch: Sequence[Lesson], tokenizer: Any, read: Tokens) -> Tensor:
    """The loss on what is learned; of all other tokens nothing is foretold, which saves a quarter of the time."""
    ids, mask, labels = encoded(batch, tokenizer, read, seen.shape[1])
    words = model.get_input_embeddings()(ids)
    embedded = torch.cat([seen, words[:, seen.shape[1] :]], 1)
    states = model.language_model.model(inputs_embeds=embedded, attention_mask=mask).last_hidden_state[:, :-1]
    wanted = labels[:, 1:]
    there = wanted != IGNORED
    return torch.nn.functional.cross_entropy(model.language_model.lm_head(states[there]), wanted[there])


def new_model(settings: Blip2Config) -> Any:
    """What starts at nearly nothing in the original stays there in a training this short: positions and queries."""
    model = Blip2ForConditionalGeneration(settings)
    with torch.no_grad():
        model.query_tokens.normal_(std=0.5)
        model.vision_model.embeddings.position_embedding.normal_(std=0.3)
    return model


@dataclass(frozen=True)
class Course:
    """How it is taught: ``first`` steps with one talk a picture, then three, and the rate goes down to nothing.

    Captions come by themselves in the first steps; answers need many questions. ``state`` is a file from which a
    training that was cut off goes on.
    """

    pictures: int
    steps: int
    first: int
    batch: int
    rate: float
    seed: int
    state: Path | None = None


def train(out: Path, course: Course) -> None:
    torch.manual_seed(course.seed)
    started = time.monotonic()
    pixels, truths = pictures(course.pictures)
    read = Random(course.seed)
    both = processor([lesson for truth in truths[:3000] for lesson in first_lessons(truth, read)])
    tokens = tokens_of(both.tokenizer)
    model = new_model(config(both.tokenizer))
    optimiser = torch.optim.AdamW(model.parameters(), lr=course.rate, betas=(0.9, 0.98), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, course.rate, total_steps=CYCLE, pct_start=0.1)
    kept = {"model": model, "optimiser": optimiser, "schedule": schedule}
    first, mean = taken_up(kept, course.state)
    print(f"{sum(each.numel() for each in model.parameters()):,} weights, from step {first}", flush=True)
    for step in range(first, course.steps):
        random = Random(f"{course.seed} {step}")  # so that what a step does depends on no step before it
        chosen = random.sample(range(course.pictures), course.batch)
        said = _said_of([truths[each] for each in chosen], random, step < course.first)
        loss = loss_of(model, normalised(pixels[chosen], both.image_processor), said, both.tokenizer, tokens)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        _pace(optimiser, schedule, step + 1, course)
        mean = 0.98 * mean + 0.02 * loss.item() if mean else loss.item()
        if (step + 1) % 50 == 0:
            print(f"{time.monotonic() - started:6.0f} s  step {step + 1}  loss {mean:.4f}", flush=True)
        if (step + 1) % 100 == 0 and course.state:
            keep(kept, step + 1, mean, course.state)
    save(model, both, out)


def _said_of(truths: Sequence[Scene], random: Random, at_first: bool) -> list[tuple[Lesson, ...]]:
    if at_first:
        return [first_lessons(each, random) for each in truths]
    turns = (1, random.choice((1, 2)), random.choice((2, 2, 3)))  # as many for all, so that little is padding
    return [later_lessons(each, random, turns) for each in truths]


def _pace(optimiser: Any, schedule: Any, done: int, course: Course) -> None:
    """The rate for the next step: that of the cycle at first, and then straight down to nothing."""
    if done <= course.first:
        schedule.step()
        return
    left = (course.steps - done) / (course.steps - course.first)
    for group, rate in zip(optimiser.param_groups, schedule.get_last_lr(), strict=True):
        group["lr"] = rate * left


def taken_up(kept: Mapping[str, Any], state: Path | None) -> tuple[int, float]:
    """The step to go on with, and the mean loss so far."""
    if state is None or not state.exists():
        return 0, 0.0
    found = torch.load(state, weights_only=True)
    for name, each in kept.items():
        each.load_state_dict(found[name])
    return found["step"], found["mean"]


def keep(kept: Mapping[str, Any], step: int, mean: float, state: Path) -> None:
    """Write down where a training is, so that it can be taken up."""
    whole = state.with_suffix(".new")
    torch.save({**{name: each.state_dict() for name, each in kept.items()}, "step": step, "mean": mean}, whole)
    whole.replace(state)


def save(model: Any, both: Blip2Processor, out: Path) -> None:
    model.generation_config.eos_token_id = model.config.text_config.eos_token_id
    model.save_pretrained(out)
    both.save_pretrained(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=TOY_BLIP2)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--steps", type=int, default=3_700)
    parser.add_argument("--first", type=int, default=1_800, help="steps with one talk a picture in place of three")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--state", type=Path, help="kept here every hundred steps, and taken up from here if it is there"
    )
    parser.add_argument("--threads", type=int, default=2, help="on a busy machine, one thread is faster than two")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    course = Course(asked.pictures, asked.steps, asked.first, asked.batch, asked.rate, asked.seed, asked.state)
    train(asked.out, course)


if __name__ == "__main__":
    main()
