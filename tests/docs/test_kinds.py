"""docs/kinds.md has every kind with its keys and outputs, and its examples make a stack."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from osform import Stack
from osform.kinds import KINDS
from tests.docs.markdown import ROOT, blocks, quoted, sections, text

SECTIONS = sections(text("docs/kinds.md"))


def lay_out(folder: Path, *names: str) -> Path:
    """Write each example that begins with its path into a folder, the repository's models beside it."""
    shutil.copytree(ROOT / "models", folder / "models")
    for name in names:
        for block in blocks(text(name), "yaml", "jinja"):
            path = re.match(r"(?:# |\{# )(\S+)", block)
            assert path is not None, f"an example in {name} doesn't say which file it is:\n{block}"
            (folder / path[1]).parent.mkdir(parents=True, exist_ok=True)
            (folder / path[1]).write_text(block, encoding="utf-8")
    return folder / "provision"


def test_each_kind_has_a_section_in_the_order_of_the_registry() -> None:
    assert list(SECTIONS) == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_section_has_every_key_and_every_output(kind: str) -> None:
    words = quoted(SECTIONS[kind])
    assert words >= KINDS[kind].KEYS
    outputs = re.search(r"^\| Outputs \| (.+) \|$", SECTIONS[kind], flags=re.MULTILINE)
    assert outputs is not None
    assert set(re.findall(r"`(\w+)`", outputs[1])) == KINDS[kind].OUTPUTS


def test_the_readme_names_every_kind() -> None:
    assert quoted(text("README.md")) >= set(KINDS)
    assert quoted(text("CHANGELOG.md")) >= set(KINDS)


def test_the_examples_make_a_stack(tmp_path: Path) -> None:
    provision = lay_out(tmp_path, "docs/kinds.md")
    (provision / "stack.yaml").write_text("name: example\n")
    stack = Stack.load(provision, environ={"EMBEDDER_KEY": "a", "ANA_HASH": "b"})
    assert {address.kind for address in stack.spec.resources} == set(KINDS)


def test_the_examples_of_the_concepts_make_a_stack_in_both_environments(tmp_path: Path) -> None:
    provision = lay_out(tmp_path, "docs/concepts.md")
    shutil.copytree(ROOT / "provision" / "model", provision / "model")
    shutil.copytree(ROOT / "provision" / "model_group", provision / "model_group")
    for environment in (None, "production"):
        bodies = Stack.load(provision, environment).render()
    (pipeline,) = [body for address, body in bodies.items() if address.kind == "ingest_pipeline"]
    assert pipeline["processors"][0]["text_embedding"]["batch_size"] == 16
