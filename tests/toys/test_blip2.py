"""The toy BLIP-2 sees: what it says of pictures that it never saw."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from examples.drawn import draw
from examples.toys import TOY_BLIP2
from examples.toys.measure import LEAST, SEED, Describe, engine_of, measured, things_in
from osform.caption.blip2 import Blip2
from osform.caption.describing import Describer
from osform.caption.engines import Loading, load
from osform.caption.prompts import Uses
from osform.errors import CaptionError
from osform.flows.captioning import Manner, Model
from osform.flows.captioning import describe as run_describe
from osform.flows.picture_inputs import Inputs

pytestmark = [pytest.mark.export, pytest.mark.xdist_group("torch")]
# What transformers writes for a model and its processor, and what the Hub's checkpoints have.
FILES = {
    "config.json",
    "generation_config.json",
    "merges.txt",
    "model.safetensors",
    "preprocessor_config.json",
    "processor_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
}


@pytest.fixture(scope="module")
def describe() -> Describe:
    import torch

    torch.set_num_threads(1)  # on a busy machine, more threads wait for each other
    return engine_of(TOY_BLIP2)


def too_low(describe: Describe, pictures: int) -> dict[str, float]:
    scores = measured(describe, draw(pictures, SEED))

    return {subject: scores[subject].share for subject, least in LEAST.items() if scores[subject].share < least}


def test_it_names_things_and_answers_on_unseen_pictures(describe: Describe) -> None:
    assert too_low(describe, 60) == {}


@pytest.mark.soak
def test_it_does_so_on_three_hundred(describe: Describe) -> None:
    assert too_low(describe, 300) == {}


def test_pictures_that_change_places_take_their_captions_with_them(tmp_path: Path) -> None:
    """By the command: two files are swapped, and a line of each name has what the other one had."""
    folder, captions = tmp_path / "pictures", []
    folder.mkdir()
    names = ("one.png", "other.png")
    for order in (names, names[::-1]):
        for name, each in zip(order, draw(2, SEED), strict=True):
            each.image.save(folder / name)
        done = run_describe(Inputs((str(folder),)), tmp_path / f"{order[0]}.jsonl", Model(str(TOY_BLIP2), device="cpu"),
                            manner=Manner(workers=0))  # fmt: skip
        lines = [json.loads(line) for line in done.out.read_text().splitlines()]
        captions.append([line["description"] for line in lines])
    assert captions[0] == captions[1][::-1]
    assert captions[0][0] != captions[0][1]


class Blind(Blip2):
    """One that puts prompts to the language model without their pictures, as transformers does with old processors."""

    def _ids(self, prompts: Sequence[str]) -> tuple[Any, Any]:
        ids, mask = super()._ids(prompts)
        return ids[:, self._queries :], mask[:, self._queries :]


def test_without_image_tokens_a_run_stops_with_an_error() -> None:
    import numpy

    engine = load(Loading(TOY_BLIP2))
    engine.__class__ = Blind
    with pytest.raises(CaptionError, match="a row of input has 0 image tokens, expected 16"):
        Describer(engine, Uses(), 4).describe(numpy.zeros((2, 3, 64, 64), numpy.uint8))


def test_transformers_own_classes_say_the_same(describe: Describe) -> None:
    import torch
    from transformers import AutoProcessor, Blip2ForConditionalGeneration

    images = [each.image for each in draw(6, SEED)]
    prompts = ["Question: What colour is it? Answer:", "a photo of"] * 3
    model = Blip2ForConditionalGeneration.from_pretrained(TOY_BLIP2).eval()
    processor = AutoProcessor.from_pretrained(TOY_BLIP2, use_fast=False)
    given = processor(images=images, text=prompts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        said = model.generate(**given, max_new_tokens=24, do_sample=False)[:, given["input_ids"].shape[1] :]
    assert [each.strip() for each in processor.batch_decode(said, skip_special_tokens=True)] == describe(
        images, prompts
    )


def test_a_beginning_is_gone_on_from(describe: Describe) -> None:
    pictures = draw(20, SEED)
    images = [each.image for each in pictures]
    texts = describe(images, ["a photo of"] * len(images))
    assert sum(things_in(text) == each.truth.things for text, each in zip(texts, pictures, strict=True)) >= 14


def test_it_has_the_files_of_the_real_ones_and_is_small() -> None:
    there = {each.name: each.stat().st_size for each in TOY_BLIP2.iterdir()}
    assert set(there) >= FILES
    assert sum(there.values()) < 6_000_000


def test_its_conventions_are_those_of_the_real_ones() -> None:
    from transformers import AutoConfig, AutoTokenizer

    config, tokenizer = AutoConfig.from_pretrained(TOY_BLIP2), AutoTokenizer.from_pretrained(TOY_BLIP2)
    assert config.architectures == ["Blip2ForConditionalGeneration"]
    assert config.image_token_index == tokenizer.convert_tokens_to_ids("<image>")
    assert config.text_config.bos_token_id == tokenizer.convert_tokens_to_ids("</s>")
    assert tokenizer.decode([config.text_config.eos_token_id]) == "\n"
    assert tokenizer.padding_side == "left"


def test_its_processor_knows_how_many_image_tokens_there_are() -> None:
    config, processor = (json.loads((TOY_BLIP2 / f"{name}config.json").read_text()) for name in ("", "processor_"))
    assert processor["num_query_tokens"] == config["num_query_tokens"]


def test_its_card_says_what_it_reaches() -> None:
    card = (TOY_BLIP2 / "CARD.md").read_text()
    assert "toy" in card
    assert all(f"| {subject} |" in card for subject in LEAST)


def test_the_folder_of_the_toy_is_no_model_of_a_stack() -> None:
    assert not (TOY_BLIP2 / "model.yaml").exists()
    assert Path("examples") in TOY_BLIP2.relative_to(Path(__file__).parents[2]).parents
