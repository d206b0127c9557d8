"""The examples hold what the demo promises of them."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from examples import demo
from osform.cli.ui import ui

EXAMPLES = Path(__file__).parent.parent / "examples"
QUESTION = "something hot to drink in the morning"


def photos() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (EXAMPLES / "photos" / "descriptions.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def reader() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docstrings", EXAMPLES / "stdlib" / "docstrings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def library(root: Path, **sources: str) -> Path:
    for name, source in sources.items():
        path = root / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return root


def test_there_are_at_least_sixty_photos_each_with_an_id_of_its_own() -> None:
    found = photos()
    assert len(found) >= 60
    assert len({photo["id"] for photo in found}) == len({photo["image"] for photo in found}) == len(found)
    assert all(10 <= len(photo["image_description"].split()) <= 25 for photo in found)


def test_the_coffee_photo_has_no_word_of_the_question_that_finds_it() -> None:
    (coffee,) = [photo for photo in photos() if "coffee" in photo["image_description"]]
    words = set(re.findall(r"\w+", coffee["image_description"].lower()))
    assert not words & set(QUESTION.split())


def test_docstrings_are_read_of_classes_functions_and_methods(reader: ModuleType, tmp_path: Path) -> None:
    source = (
        '"""About a."""\nclass C:\n    """About C."""\n    def m(self): "About m."\ndef f(x: int = 1): "About f."\n'
    )
    found = {line["id"]: line for line in reader.lines(library(tmp_path, a=source))}
    assert list(found) == ["a.C", "a.C.m", "a.f"]
    assert (found["a.f"]["signature"], found["a.f"]["kind"], found["a.f"]["module"]) == ("(x=1)", "function", "a")


def test_tests_editors_private_names_and_what_has_no_docstring_are_left_out(reader: ModuleType, tmp_path: Path) -> None:
    documented = 'def f(): "About f."\n'
    root = library(tmp_path, test__a=documented, idlelib__b=documented, c='def _f(): "x"\ndef g(): pass\n')
    assert list(reader.lines(root)) == []


def test_what_is_embedded_is_the_definition_the_beginning_and_the_module(reader: ModuleType, tmp_path: Path) -> None:
    (line,) = reader.lines(library(tmp_path, a=f'def f():\n    """Do.\n\n    {"word " * 500}"""\n'))
    assert line["summary"].startswith("def f(): Do. word")
    assert line["summary"].endswith("word ... (a)")
    assert len(line["summary"]) < 250
    assert len(line["docstring"]) > 2000


def test_this_pythons_library_has_several_thousand_and_the_same_ids_each_time() -> None:
    first, second = (
        subprocess.run(
            [sys.executable, EXAMPLES / "stdlib" / "docstrings.py"], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    )
    assert first == second
    ids = [json.loads(line)["id"] for line in first.splitlines()]
    assert len(ids) == len(set(ids)) > 2000
    assert {"subprocess.run", "subprocess.check_output"} <= set(ids)


def test_the_demo_looks_at_the_machine_without_a_package_and_says_what_it_lacks(tmp_path: Path) -> None:
    nothing = {"PATH": "", "OPENSEARCH_JAVA_HOME": str(tmp_path)}
    bare = [sys.executable, "-I", "-S", str(EXAMPLES / "demo.py"), "--check"]
    done = subprocess.run(bare, env=nothing, capture_output=True, text=True, check=False)
    told = done.stderr.splitlines()
    assert done.returncode == 0 or (told[0][:6], told[1][:5]) == ("error:", "next:")


def test_the_command_that_the_demo_ends_with_opens_the_page_at_the_address_it_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    demo.look()
    said, command = capsys.readouterr().out.strip().splitlines()
    program, *words = shlex.split(command.removeprefix("$ "))
    assert (Path(program).name, words[0]) == ("osform", "ui")
    asked = ui.make_context("ui", words[1:]).params
    assert f"http://{asked['listen']}:{asked['port']}/" in said
    assert (asked["index"], asked["pictures"], asked["show"]) == ("drawn", (Path(".demo/pictures"),), True)


def test_the_demo_stays_on_this_machine_whatever_cluster_the_environment_names() -> None:
    elsewhere = {"OSFORM_CLUSTER": "https://search.example", "OSFORM_PROFILE": "production", "OSFORM_TOKEN": "t"}
    here = {"PATH": "/usr/bin", "OSFORM_DATA_DIR": "/var/big"}
    assert demo.apart({**elsewhere, **here}) == here
