"""docs/commands.md has every command and every option, and none besides."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from osform.cli.main import cli
from osform.cli.options import CONNECTION_OPTIONS
from osform.core.plan import Plan
from osform.files.models import load_models
from osform.flows.applying import Outcome
from tests.docs.markdown import DOCS, ROOT, blocks, quoted, sections, text

OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]*|-[a-z])(?![\w-])")
CONNECTION = {name for name, *_ in CONNECTION_OPTIONS}
"""They stand beside every --cluster, and are explained once."""
SECTIONS = sections(text("docs/commands.md"))


def leaves(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for each in group.list_commands(context):
        command = group.get_command(context, each)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, f"{name} {each}")
        else:
            yield f"{name} {each}", command


COMMANDS = dict(leaves(cli, "osform"))


def options(command: click.Command) -> set[str]:
    found = [each for each in command.params if isinstance(each, click.Option)]
    return {text for each in found for text in (*each.opts, *each.secondary_opts)}


EVERY = {"--help", "-h", "--version"} | {each for command in COMMANDS.values() for each in options(command)}


def synopsis(section: str) -> str:
    return section.split("\n\n")[1]


def test_each_command_has_a_section_and_each_section_a_command() -> None:
    assert sorted(SECTIONS) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_synopsis_has_the_options_of_the_command(name: str) -> None:
    shown = synopsis(SECTIONS[name])
    assert shown.startswith(f"    {name}")
    aliases = {"--k", "-k"}  # in the table only
    assert set(OPTION.findall(shown)) == options(COMMANDS[name]) - aliases - CONNECTION


@pytest.mark.parametrize("name", COMMANDS)
def test_the_synopsis_has_the_arguments_of_the_command(name: str) -> None:
    wanted = {each.make_metavar(click.Context(COMMANDS[name])) for each in COMMANDS[name].params
              if isinstance(each, click.Argument)}  # fmt: skip
    assert all(each.strip("[]") in synopsis(SECTIONS[name]) for each in wanted)


@pytest.mark.parametrize("name", [name for name in COMMANDS if "| Option | |" in SECTIONS[name]])
def test_a_table_explains_options_of_its_command_only(name: str) -> None:
    rows = re.findall(r"^\| (`-.*?) \|", SECTIONS[name], flags=re.MULTILINE)
    assert set(OPTION.findall(" ".join(rows))) <= options(COMMANDS[name])


def test_each_option_is_explained_somewhere() -> None:
    rows = re.findall(r"^\| (`-.*?) \|", text("docs/commands.md"), flags=re.MULTILINE)
    assert set(OPTION.findall(" ".join(rows))) == EVERY - {"--help", "-h"}


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_no_document_names_an_option_that_is_not_there(path: Path) -> None:
    bare = "-" if path.name != "benchmarks.md" else "osform "  # what stands there alone belongs to `python -m bench`
    lines = [each for each in quoted(text(str(path))) if each.startswith(("osform ", bare))]
    lines += re.findall(r"^ {4}(osform .*)$", text(str(path)), flags=re.MULTILINE)
    assert {each for line in lines for each in OPTION.findall(line)} <= EVERY | {"--adopt"}


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_no_document_has_a_shell_empty_a_file_of_the_stack_that_the_command_is_to_read(path: Path) -> None:
    assert re.findall(r"^ *osform .*> *provision/.*$", text(str(path)), flags=re.MULTILINE) == []


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_no_document_names_a_command_that_is_not_there(path: Path) -> None:
    markdown = re.split(r"^## Not yet$", text(str(path)), flags=re.MULTILINE)[0]
    named = {each.split()[1] for each in quoted(markdown) if re.match(r"osform [a-z]", each)}
    assert named <= set(cli.commands) | set(cli.list_commands(click.Context(cli)))


def test_every_example_of_output_is_json() -> None:
    for block in blocks(text("docs/commands.md"), "json"):
        json.loads(block)


def example(name: str) -> object:
    (block,) = blocks(SECTIONS[name], "json")
    return json.loads(block)


def test_the_keys_of_a_plan_and_of_an_apply_are_those_of_the_docs() -> None:
    plan, applied = example("osform plan"), example("osform apply")
    assert isinstance(plan, dict)
    assert isinstance(applied, dict)
    assert plan.keys() == Plan("photos", "default", ()).to_json().keys()
    assert applied.keys() == Outcome("photos").to_json().keys()


def test_the_example_of_model_list_is_what_the_command_says() -> None:
    from osform.cli.model import _rows

    shown = example("osform model list")
    assert isinstance(shown, list)
    rows = [{**row, "cached": True} for row in _rows(load_models(ROOT / "models").by_name, ROOT / "no-cache")]
    assert shown[0] in rows
