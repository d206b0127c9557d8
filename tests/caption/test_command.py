"""The command line of osform caption."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from osform.cli.main import cli
from osform.errors import InputError, SpecError
from tests.caption import hard
from tests.caption.drawn import folder_of


def call(*words: Path | str) -> Result:
    how = ("--workers", "0", "--max-new-tokens", "5", "--device", "cpu")
    result = CliRunner().invoke(cli, ["caption", *map(str, words), *how], standalone_mode=False)
    if result.exception:
        raise result.exception
    return result


def test_describe_may_be_left_out(opt: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "pictures", 3)
    ways: list[list[Path | str]] = [[folder], ["describe", folder], ["--limit", "3", folder]]
    for number, words in enumerate(ways):
        out = tmp_path / f"{number}.jsonl"
        assert call(*words, "--model", opt, "--out", out).return_value == 0
        assert len(out.read_text().splitlines()) == 3


def test_a_text_has_at_most_thirty_tokens_where_nothing_else_is_asked(opt: Path, tmp_path: Path) -> None:
    folder, out = folder_of(tmp_path / "pictures", 1), tmp_path / "out.jsonl"
    words = ["caption", str(folder), "--model", str(opt), "--out", str(out), "--workers", "0", "--device", "cpu"]
    assert CliRunner().invoke(cli, words).exit_code == 0
    assert json.loads(out.with_name("out.jsonl.manifest.json").read_text())["made_with"]["max_new_tokens"] == 30


def test_pictures_that_fail_make_the_exit_status_3(opt: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "pictures", 2)
    (folder / "bad.jpg").write_bytes(b"bad")
    done = call(folder, "--model", opt, "--out", tmp_path / "out.jsonl", "--format", "json")
    assert done.return_value == 3
    said = json.loads(done.stdout)
    assert (said["pictures"], said["described"], said["failed"]) == (3, 2, 1)
    assert "warning:" in done.stderr


def test_sixty_hard_files_are_counted_and_told_by_the_exit_status(opt: Path, tmp_path: Path) -> None:
    expected = hard.make(tmp_path / "hard")
    done = call(tmp_path / "hard", "--model", opt, "--out", tmp_path / "out.jsonl", "--format", "json")
    said, bad = json.loads(done.stdout), sum(reason is not None for reason in expected.values())
    assert (done.return_value, said["pictures"], said["failed"], said["lines"]) == (3, 60, bad, 60)
    assert said["described"] + said["repeated"] == 60 - bad
    for line in map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines()):
        assert (expected[Path(line["image"]).name] or "") in line.get("error", ""), line


def test_questions_of_a_file_fill_fields(opt: Path, tmp_path: Path) -> None:
    (tmp_path / "questions.yaml").write_text("brand: Which brand is it?\ncolour: What colour is it?\n")
    call(folder_of(tmp_path / "pictures", 1), "--model", opt, "--out", tmp_path / "out.jsonl",
         "--questions", tmp_path / "questions.yaml")  # fmt: skip
    line = json.loads((tmp_path / "out.jsonl").read_text())
    assert list(line)[-2:] == ["brand", "colour"]


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("--questions", "- what?\n", "expected questions by field"),
        ("--questions", "sha256: What?\n", "sha256: each line has a field of that name already"),
        ("--questions", "brand: 3\n", "questions.yaml:1 brand: expected a question"),
        ("--chat", "question: What?\n", "expected a list of turns"),
        ("--chat", "- question: What?\n  anser: x\n", r"\[0\].anser: unknown, expected question and answer"),
        ("--chat", "- question: What?\n  answer: 3\n", r"\[0\].answer: expected a text"),
    ],
)
def test_a_mistake_in_a_file_of_questions_is_named(tmp_path: Path, option: str, text: str, message: str) -> None:
    path = tmp_path / "questions.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=message):
        call(tmp_path, "--out", tmp_path / "out.jsonl", option, path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "no/such/folder"], "no such folder, and no name of a repository on the Hub"),
        (["--model", "Salesforce/blip2-opt-6.7b"], "no revision of it is known to fit"),
        (["--column", "url"], "there is no table among the files"),
        (["--url-params", "w"], "expected NAME=VALUE&NAME=VALUE"),
    ],
)
def test_an_option_that_can_not_be_right_is_refused(tmp_path: Path, words: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call(folder_of(tmp_path / "pictures", 1), "--out", tmp_path / "out.jsonl", *words)
    assert not (tmp_path / "out.jsonl").exists()


def compared(opt: Path, blip: Path, tmp_path: Path, *more: str) -> Any:
    folder = folder_of(tmp_path / "pictures", 2)
    (folder / "<b>.jpg").write_bytes(b"bad")
    return call("compare", folder, "--model", blip, "--model", opt, "--html", tmp_path / "page.html", *more)


def test_two_models_stand_side_by_side(opt: Path, blip: Path, tmp_path: Path) -> None:
    done = compared(opt, blip, tmp_path, "--format", "json")
    said = json.loads(done.stdout)
    assert (said["models"], done.return_value) == (["blip", "opt"], 3)
    lines = [json.loads(line) for line in (tmp_path / "page.2.jsonl").read_text().splitlines()]
    assert [row["texts"][1] for row in said["pictures"]] == [line.get("description") for line in lines]


def test_the_page_has_the_pictures_and_escapes_their_names(opt: Path, blip: Path, tmp_path: Path) -> None:
    done = compared(opt, blip, tmp_path)
    assert "  blip  " in done.stdout
    page = (tmp_path / "page.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2
    assert "no picture of a kind that is read" in page
    assert "<b>" not in page


def test_a_name_that_is_no_text_does_not_end_a_comparison(opt: Path, tmp_path: Path) -> None:
    folder_of(tmp_path / "p", 1)
    (tmp_path / "p" / "0000.png").rename(tmp_path / b"caf\xe9.png".decode("utf-8", "surrogateescape"))
    (tmp_path / "list.txt").write_bytes(b"caf\xe9.png\n")
    done = call("compare", tmp_path / "list.txt", "--model", opt, "--model", opt, "--html", tmp_path / "page.html")
    assert (done.return_value, r"caf\xe9.png" in done.stdout) == (0, True)
    assert "data:image/jpeg;base64," in (tmp_path / "page.html").read_text()
