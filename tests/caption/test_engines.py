"""The models: what they are shown, and that what they say of a picture depends on it and its prompt alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from osform.caption.blip2 import check_image_tokens
from osform.caption.describing import Describer
from osform.caption.engines import Engine, Loading, load, sight, weights
from osform.caption.prompts import Turn, Uses, as_question
from osform.errors import CaptionError, InputError
from osform.images.decoding import Decoding, decode
from tests.caption import checkpoints, drawn

PROMPTS = ("", "a photo of", as_question("What colour is it?"))
TOKENS = 10


def engine(folder: Path, **how: Any) -> Engine:
    return load(Loading(folder, max_new_tokens=TOKENS, **how))


def pixels(count: int, first: int = 0) -> Any:
    """Pictures as an engine is given them."""
    import numpy

    found = [decode(drawn.png(number), Decoding(checkpoints.SIZE)).pixels for number in range(first, first + count)]
    return numpy.stack([each for each in found if each is not None])


def plainly(folder: Path, number: int, prompt: str) -> str:
    """transformers' own loop, a picture at a time, as its documentation has it."""
    import torch
    from transformers import Blip2ForConditionalGeneration, Blip2Processor

    processor = Blip2Processor.from_pretrained(folder)
    model = Blip2ForConditionalGeneration.from_pretrained(folder).eval()
    given = processor(drawn.picture(number), prompt, return_tensors="pt") if prompt else processor(
        drawn.picture(number), return_tensors="pt"
    )  # fmt: skip
    with torch.no_grad():
        said = model.generate(**given, max_new_tokens=TOKENS, do_sample=False)
    echo = 0 if model.config.is_encoder_decoder else given["input_ids"].shape[1] if prompt else checkpoints.QUERIES + 1
    return str(processor.batch_decode(said[:, echo:], skip_special_tokens=True)[0]).strip()


@pytest.mark.parametrize("kind", ["opt", "t5"])
def test_a_text_is_that_of_transformers_own_loop(kind: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    here = engine(folder)
    for prompt in PROMPTS:
        said = here.say(here.see(pixels(3)), [(number, prompt) for number in range(3)])
        assert said == [plainly(folder, number, prompt) for number in range(3)]


@pytest.mark.parametrize("prompt", ["", "a photo of"])
def test_what_blip_says_is_what_transformers_own_loop_says(blip: Path, prompt: str) -> None:
    import torch
    from transformers import BlipForConditionalGeneration, BlipProcessor

    processor = BlipProcessor.from_pretrained(blip)
    given = processor(drawn.picture(3), prompt or None, return_tensors="pt")
    with torch.no_grad():
        said = BlipForConditionalGeneration.from_pretrained(blip).eval().generate(**given, max_new_tokens=TOKENS)
    echo = given["input_ids"].shape[1] - 1 if prompt else 1
    here = engine(blip)
    assert here.say(here.see(pixels(1, 3)), [(0, prompt)]) == [processor.decode(said[0, echo:], True).strip()]


@pytest.mark.parametrize("kind", ["opt", "t5", "blip"])
def test_a_text_does_not_depend_on_batch_order_or_neighbours(kind: str, request: pytest.FixtureRequest) -> None:
    here = engine(request.getfixturevalue(kind))
    rows = [(number, prompt) for number in range(12) for prompt in PROMPTS]
    together = dict(zip(rows, here.say(here.see(pixels(12)), rows), strict=True))
    backwards = dict(zip(rows[::-1], here.say(here.see(pixels(12)), rows[::-1]), strict=True))
    alone = {row: here.say(here.see(pixels(1, row[0])), [(0, row[1])])[0] for row in rows}
    assert together == backwards == alone
    assert len(set(together.values())) > len(rows) / 2


def test_two_pictures_swapped_swap_their_texts(opt: Path) -> None:
    here = engine(opt)
    seen = here.see(pixels(2))
    first, second = here.say(seen, [(0, ""), (1, "")])
    assert here.say(seen, [(1, ""), (0, "")]) == [second, first]
    assert first != second


def same_texts(one: Path, other: Path) -> bool:
    rows = [(number, prompt) for number in range(3) for prompt in PROMPTS]
    said = [each.say(each.see(pixels(3)), rows) for each in (engine(one), engine(other))]
    return said[0] == said[1]


@pytest.mark.parametrize("kind", ["opt", "t5"])
def test_a_checkpoint_of_before_image_tokens_sees_as_the_new_one(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    make = {"opt": checkpoints.opt, "t5": checkpoints.t5}[kind]
    assert same_texts(request.getfixturevalue(kind), make(tmp_path / "old", image_token=False))


@pytest.mark.parametrize("kind", ["opt", "t5"])
def test_a_processor_that_does_not_say_how_many_queries_there_are_makes_no_difference(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = request.getfixturevalue(kind)
    assert same_texts(folder, checkpoints.forget_queries(shutil.copytree(folder, tmp_path / "old")))


@pytest.mark.parametrize("kind", ["opt", "t5"])
def test_weights_in_several_files_are_those_in_one(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    folder = request.getfixturevalue(kind)
    several = checkpoints.split(shutil.copytree(folder, tmp_path / "several"))
    assert len(list(several.glob("model-*.safetensors"))) > 1
    assert same_texts(folder, several)


def test_a_prompt_with_an_image_token_is_refused_since_it_would_displace_the_picture(opt: Path) -> None:
    here = engine(opt)
    with pytest.raises(CaptionError, match="a row of input has 5 image tokens, expected 4"):
        here.say(here.see(pixels(1)), [(0, "a <image> of")])


def test_a_row_without_its_image_tokens_is_an_error_rather_than_a_text_about_nothing() -> None:
    import torch

    with pytest.raises(CaptionError, match="a row of input has 0 image tokens, expected 2"):
        check_image_tokens(torch.tensor([[9, 9, 1], [3, 4, 1]]), 9, 2)


def test_a_tokenizer_of_another_revision_is_refused(tmp_path: Path) -> None:
    folder = checkpoints.opt(tmp_path / "opt", image_token_index=7)
    with pytest.raises(CaptionError, match=r"of the tokenizer and 7 of config\.json"):
        engine(folder)


def test_missing_weights_are_an_error(opt: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(opt, tmp_path / "opt")
    tensors = load_file(folder / "model.safetensors")
    del tensors["qformer.layernorm.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(CaptionError, match=r"1 weights are not there, qformer\.layernorm\.weight"):
        engine(folder)


def test_weights_in_a_pickle_are_refused(opt: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(opt, tmp_path / "opt")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(CaptionError, match="can't be loaded"):
        engine(folder)


def test_the_side_of_the_picture_is_the_vision_models_whatever_the_processor_says(opt: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(opt, tmp_path / "opt")
    said = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps({**said, "size": {"height": 384, "width": 384}}))
    assert sight(folder).size == checkpoints.SIZE


def test_pixels_are_those_of_the_image_processor(opt: Path) -> None:
    import numpy
    from transformers import BlipImageProcessor

    expected = BlipImageProcessor.from_pretrained(opt)(drawn.picture(3), return_tensors="np")["pixel_values"]
    given = sight(opt).normalised(pixels(1, 3), "cpu").numpy()
    assert numpy.abs(expected - given).max() < 1e-5


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(CaptionError, match="model_type 'bert', expected blip-2 or blip"):
        load(Loading(tmp_path))


def test_flan_t5_in_fp16_is_refused(t5: Path) -> None:
    with pytest.raises(InputError, match="overflows in fp16"):
        engine(t5, precision="fp16")


@pytest.mark.parametrize("kind", ["opt", "t5"])
def test_a_static_cache_gives_the_same_text(kind: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    said = [each.say(each.see(pixels(4)), [(n, PROMPTS[n % 3]) for n in range(4)])
            for each in (engine(folder), engine(folder, static=True))]  # fmt: skip
    assert said[0] == said[1]


class Small:
    """A device with room for so many rows at a time, as a GPU that runs out of memory."""

    limit, answers = 100, True

    def __init__(self, room: int) -> None:
        self.room = room

    def count(self, prompt: str) -> int:
        return len(prompt)

    def see(self, pixels: Any) -> Any:
        import torch

        if len(pixels) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [int(picture.sum()) for picture in pixels]

    def say(self, seen: Any, rows: Any) -> list[str]:
        return [f"{seen[number]} {prompt}" for number, prompt in rows]


def test_a_batch_is_lowered_when_memory_runs_out_and_stays_low() -> None:
    roomy, small = (Describer(Small(room), Uses(), 16) for room in (64, 3))
    assert small.describe(pixels(10)) == roomy.describe(pixels(10))
    assert (roomy.batch, small.batch) == (16, 2)


def test_memory_that_is_too_small_for_one_picture_is_an_error() -> None:
    with pytest.raises(CaptionError, match="does not suffice for one picture"):
        Describer(Small(0), Uses(), 4).describe(pixels(2))


def test_a_model_that_the_device_has_no_room_for_is_an_error(tmp_path: Path) -> None:
    import torch

    class Large:
        """A model of transformers that is larger than its GPU."""

        @classmethod
        def from_pretrained(cls, folder: Path, **how: Any) -> tuple[Large, dict[str, Any]]:
            return cls(), {"missing_keys": []}

        def to(self, device: str) -> Large:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(CaptionError, match="the memory of cuda:0 does not suffice for the model"):
        weights(Large, None, Loading(tmp_path, "cuda:0"))


def test_questions_fill_fields_and_prompts_give_texts(opt: Path) -> None:
    here = engine(opt)
    uses = Uses(("", "a photo of"), {"colour": "What colour is it?", "place": "Where is it?"})
    (described,) = Describer(here, uses, 4).describe(pixels(1))
    seen = here.see(pixels(1))
    assert described.texts == tuple(here.say(seen, [(0, "")]) + here.say(seen, [(0, "a photo of")]))
    assert described.fields["colour"] == here.say(seen, [(0, "Question: What colour is it? Answer:")])[0]


def test_a_conversation_puts_the_answers_of_the_model_in_front_of_the_next_question(opt: Path) -> None:
    here = engine(opt)
    uses = Uses(chat=(Turn("What is it?", "a boat."), Turn("What colour is it?"), Turn("Where is it?")))
    (described,) = Describer(here, uses, 4).describe(pixels(1))
    colour, place = (turn.answer or "" for turn in described.chat[1:])
    end = "" if colour.endswith((".", "!", "?")) else "."
    prompt = f"Question: What is it? Answer: a boat. Question: What colour is it? Answer: {colour}{end} "
    assert here.say(here.see(pixels(1)), [(0, prompt + "Question: Where is it? Answer:")]) == [place]


def test_blip_is_not_asked_questions(blip: Path) -> None:
    with pytest.raises(InputError, match="BLIP was not trained to answer"):
        Describer(engine(blip), Uses(questions={"colour": "What colour is it?"}), 4)


def test_a_prompt_beyond_the_models_positions_is_refused_before_the_first_picture(opt: Path) -> None:
    with pytest.raises(InputError, match="at most 286 fit"):
        Describer(engine(opt), Uses(("photo " * 300,)), 4)
