"""``osform init``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from osform.cli.main import main
from tests.docs.markdown import blocks, sections, text


def ran(*words: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main(["init", *words])
    return ended.value.code


def test_the_files_are_listed_and_what_comes_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(str(tmp_path / "shop")) == 0
    told = capsys.readouterr()
    assert f"{tmp_path}/shop/provision/stack.yaml" in told.out.splitlines()
    assert told.err == f"next:  cd {tmp_path}/shop; osform validate, and provision/README.md\n"
    assert (tmp_path / "shop" / "provision" / "stack.yaml").read_text().startswith("name: shop\n")


def test_it_is_the_current_folder_where_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ran("--name", "shop") == 0
    assert capsys.readouterr().err == "next:  osform validate, and provision/README.md\n"
    with pytest.raises(SystemExit):
        main(["validate"])
    assert capsys.readouterr().out == "shop (default): 6 resources, checks of 1 index, no mistake found\n"


@pytest.mark.parametrize("name", ["2024", "1e3", "null", "true", "shop-v2"])
def test_a_folder_of_any_name_becomes_a_stack_without_mistakes(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran(str(tmp_path / name)) == 0
    with pytest.raises(SystemExit):
        main(["validate", "--provision", str(tmp_path / name / "provision")])
    assert capsys.readouterr().out.endswith(f"{name} (default): 6 resources, checks of 1 index, no mistake found\n")


def test_a_second_time_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(str(tmp_path)) == 0
    (tmp_path / "provision" / "stack.yaml").write_text("name: edited\n")
    assert ran(str(tmp_path)) == 1
    assert "error: already there: " in capsys.readouterr().err
    assert (tmp_path / "provision" / "stack.yaml").read_text() == "name: edited\n"


def test_the_json_has_the_keys_of_the_docs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(str(tmp_path), "--format", "json") == 0
    (block,) = blocks(sections(text("docs/commands.md"))["osform init"], "json")
    assert json.loads(capsys.readouterr().out).keys() == json.loads(block).keys()
