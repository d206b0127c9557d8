"""JSON Schemas for editors: what osform takes they take, and mistakes that one file shows they show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from osform.errors import SpecError
from osform.files import yaml
from osform.files.schemas import names, schema
from osform.kinds import KINDS
from tests.live.every_kind import CASES

ROOT = Path(__file__).parents[2]
SPECS = ROOT / "tests" / "specs"


def schema_of(path: Path, root: Path) -> str | None:
    """Which schema a file of a project goes by."""
    match path.relative_to(root).parts:
        case ("provision", "stack.yaml"):
            return "stack"
        case ("provision", "environments", _):
            return "environment"
        case ("provision", "checks", _):
            return "checks"
        case ("provision", kind, _) if kind in KINDS:
            return kind
        case ("models", _, "model.yaml"):
            return "packaged_model"
    return None


def wrong(root: Path) -> set[str]:
    """The files of a project that their schemas refuse."""
    return {
        str(path.relative_to(root))
        for path in sorted(root.rglob("*.yaml"))
        if (name := schema_of(path, root)) and (value := _read(path)) is not None and not _valid(name, value)
    }


def _read(path: Path) -> Any:
    try:
        return yaml.load(path).value
    except SpecError:
        return None


def _valid(name: str, value: Any) -> bool:
    return bool(Draft202012Validator(schema(name)).is_valid(value))


@pytest.mark.parametrize("name", names())
def test_each_schema_is_one_and_describes_every_key(name: str) -> None:
    made = schema(name)
    Draft202012Validator.check_schema(made)
    assert made["title"]
    assert made["description"]
    if name in KINDS:
        assert set(made["properties"]) == KINDS[name].KEYS | {"osform"}


@pytest.mark.parametrize("root", [ROOT, SPECS / "base"], ids=str)
def test_good_projects_are_good_for_their_schemas(root: Path) -> None:
    assert wrong(root) == set()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_resource_with_every_key_of_its_kind_is_good_for_its_schema(case: Any) -> None:
    kind = case.address.partition("/")[0]
    text = case.text
    for edit in case.edits:
        assert _valid(kind, yaml.parse(text, "f").value)
        text = text.replace(edit.old, edit.new)


@pytest.mark.parametrize(
    ("case", "file"),
    [
        ("bad_moved", "provision/stack.yaml"),
        ("bad_stack_name", "provision/stack.yaml"),
        ("broken_model_folder", "models/tiny/model.yaml"),
        ("checks_with_mistakes", "provision/checks/images.yaml"),
        ("key_beside_template", "provision/ingest_pipeline/describe.yaml"),
        ("key_under_osform", "provision/index/images.yaml"),
        ("many_at_once", "provision/model/minilm.yaml"),
        ("not_a_mapping", "provision/model_group/encoders.yaml"),
        ("osform_not_a_mapping", "provision/model_group/encoders.yaml"),
        ("processor_with_two_types", "provision/ingest_pipeline/describe.yaml"),
        ("structure_from_a_reference", "provision/index/images.yaml"),
        ("unknown_key", "provision/index/images.yaml"),
        ("unknown_key_of_stack", "provision/stack.yaml"),
        ("values_without_template", "provision/model_group/encoders.yaml"),
        ("wrong_type", "provision/ingest_pipeline/describe.yaml"),
    ],
)
def test_a_mistake_that_one_file_shows_is_one_for_its_schema(case: str, file: str) -> None:
    assert file in wrong(SPECS / case)


def test_a_body_without_what_its_kind_needs_is_refused_unless_a_template_makes_it() -> None:
    assert not _valid("ingest_pipeline", {"description": "d"})
    assert _valid("ingest_pipeline", {"osform": {"template": "t.j2", "values": {"a": 1}}})


def test_a_variable_may_stand_for_any_value_of_a_check_and_nothing_else_may() -> None:
    assert _valid("checks", {"queries": "${var.all}", "thresholds": {"p95_ms": "${var.slow}"}})
    assert not _valid("checks", {"queries": [{"query": "q", "expect": ["a"]}], "thresholds": {"p95_ms": "slow"}})
    assert not _valid("checks", {"queries": [{"query": "q", "within": None}]})


def test_a_reference_may_stand_for_a_number_and_only_a_variable_for_a_list() -> None:
    assert _valid("ingest_pipeline", {"processors": "${var.all}", "version": "${var.version}"})
    assert _valid("model", {"model": "m", "group": "g", "format": "${var.format}"})
    assert not _valid("model", {"model": "m", "group": "g", "format": "onxx"})
    assert not _valid("ingest_pipeline", {"processors": "${model/m.model_id}"})
    assert not _valid("ingest_pipeline", {"processors": [], "version": "two"})
