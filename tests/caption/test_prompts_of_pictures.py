"""A prompt for each picture: a column of a table, or a field of JSON Lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from osform.caption.prompts import Turn, Uses
from osform.errors import InputError
from osform.flows.picture_inputs import Inputs
from tests.caption.drawn import folder_of
from tests.caption.test_captioning import read, run


def table(tmp_path: Path, name: str = "t.jsonl", prompts: tuple[object, ...] = ("a boat", "", None, 7)) -> Inputs:
    """Four pictures and what each is asked."""
    names = [path.name for path in sorted(folder_of(tmp_path / "p", 4).iterdir())]
    rows = [{"image": f"p/{name}", "ask": prompt} for name, prompt in zip(names, prompts, strict=True)]
    if name.endswith("csv"):
        lines = ["image,ask", *(f"{row['image']},{row['ask'] or ''}" for row in rows)]
    else:
        lines = [json.dumps(row) for row in rows]
    (tmp_path / name).write_text("\n".join(lines) + "\n")
    return Inputs((str(tmp_path / name),), prompt_column="ask")


def test_each_picture_is_asked_its_own_prompt_and_the_others_those_of_the_run(opt: Path, tmp_path: Path) -> None:
    run(opt, tmp_path / "out.jsonl", inputs=table(tmp_path), uses=Uses(("a photo of",)))
    found = [(line.get("prompt"), line.get("error")) for line in read(tmp_path / "out.jsonl")]
    assert found == [
        ("a boat", None),
        ("a photo of", None),
        ("a photo of", None),
        (None, "int 7 in the column 'ask', expected a prompt"),
    ]


@pytest.mark.parametrize("batch", [1, 4])
def test_what_it_says_is_what_the_prompt_alone_would_have_given(opt: Path, tmp_path: Path, batch: int) -> None:
    from osform.flows.captioning import Manner

    prompts = ("a boat", "a cat", "a boat", "photo")
    manner = Manner(workers=0, batch=batch)
    run(opt, tmp_path / "out.jsonl", inputs=table(tmp_path, "t.csv", prompts), manner=manner)
    run(opt, tmp_path / "each.jsonl", tmp_path / "p", uses=Uses(tuple(dict.fromkeys(prompts))))
    known = {(line["sha256"], line["prompt"]): line["description"] for line in read(tmp_path / "each.jsonl")}
    lines = read(tmp_path / "out.jsonl")
    assert [line["prompt"] for line in lines] == list(prompts)
    assert [line["description"] for line in lines] == [known[line["sha256"], line["prompt"]] for line in lines]


def test_the_same_picture_is_asked_several_things_in_one_batch(opt: Path, tmp_path: Path) -> None:
    folder_of(tmp_path / "p", 1)
    rows = [{"image": "p/0000.png", "ask": prompt} for prompt in ("a boat", "a cat", "a boat")]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run(opt, tmp_path / "out.jsonl", inputs=Inputs((str(tmp_path / "t.jsonl"),), prompt_column="ask"))
    assert [line["prompt"] for line in read(tmp_path / "out.jsonl")] == ["a boat", "a cat"]
    assert (done.run.described, done.run.repeated) == (2, 1)


def test_a_prompt_that_can_not_be_put_to_the_model_is_recorded_and_stops_nothing(opt: Path, tmp_path: Path) -> None:
    inputs = table(tmp_path, prompts=("photo " * 400, "an <image> of", "a boat", "a cat"))
    done = run(opt, tmp_path / "out.jsonl", inputs=inputs, uses=Uses(questions={"colour": "What colour is it?"}))
    first, second, *others = read(tmp_path / "out.jsonl")
    assert "tokens, at most" in first["error"]
    assert "<image> in it, which stands for the picture" in second["error"]
    assert all(line["description"] and line["colour"] for line in others)
    assert (done.run.described, done.failed) == (2, 2)


@pytest.mark.parametrize("wrong", ["an <image> of", 7])
@pytest.mark.parametrize("first", [True, False])
def test_a_wrong_prompt_leaves_the_other_prompts_of_its_picture_alone(
    opt: Path, tmp_path: Path, wrong: object, first: bool
) -> None:
    folder_of(tmp_path / "p", 1)
    asked = [wrong, "a boat", "a cat"] if first else ["a boat", wrong, "a cat"]
    (tmp_path / "t.jsonl").write_text(
        "".join(json.dumps({"image": "p/0000.png", "ask": each}) + "\n" for each in asked)
    )
    inputs = Inputs((str(tmp_path / "t.jsonl"),), prompt_column="ask")
    done = run(opt, tmp_path / "out.jsonl", inputs=inputs)
    said = [line["prompt"] for line in read(tmp_path / "out.jsonl") if "error" not in line]
    assert (said, done.run.described, done.failed) == (["a boat", "a cat"], 2, 1)
    assert run(opt, tmp_path / "out.jsonl", inputs=inputs).run.skipped == 3


def test_a_picture_that_is_gone_before_its_second_prompt_is_recorded(opt: Path, tmp_path: Path) -> None:
    folder, out, uses = folder_of(tmp_path / "p", 1), tmp_path / "out.jsonl", Uses(("", "a photo of"))
    run(opt, out, folder / "0000.png", uses=uses)
    out.write_text(out.read_text().splitlines(keepends=True)[0])  # as a kill leaves it between two lines
    (folder / "0000.png").write_bytes(b"bad")
    done = run(opt, out, folder / "0000.png", uses=uses)
    assert (done.failed, ["error" in line for line in read(out)]) == (1, [False, True])


def test_a_column_of_prompts_that_is_not_there_or_has_a_conversation_beside_it_is_refused(
    opt: Path, tmp_path: Path
) -> None:
    inputs = table(tmp_path)
    with pytest.raises(InputError, match="--prompt-column aks: nothing stands in it"):
        run(opt, tmp_path / "out.jsonl", inputs=Inputs(inputs.names, prompt_column="aks"))
    with pytest.raises(InputError, match="no table among the files"):
        run(opt, tmp_path / "out.jsonl", inputs=Inputs((str(tmp_path / "p"),), prompt_column="ask"))
    with pytest.raises(InputError, match="a conversation goes with neither"):
        run(opt, tmp_path / "out.jsonl", inputs=inputs, uses=Uses(chat=(Turn("What is it?"),)))
