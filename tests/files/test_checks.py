"""Checks read from files: what they mean, with variables in place. Mistakes are in ``tests/specs``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from osform.core.checks import Checks, Query
from osform.files.stack import load_stack, read_stack
from tests.trees import trees

BASE = Path(__file__).parents[1] / "specs" / "base"


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A good stack in a folder of its own."""
    shutil.copytree(BASE, tmp_path, dirs_exist_ok=True)
    (tmp_path / "provision" / "checks").mkdir()
    return tmp_path


def read(stack: Path, text: str, **how: Any) -> Checks:
    (stack / "provision" / "checks" / "images.yaml").write_text(text, encoding="utf-8")
    return load_stack(stack / "provision", **how).checks["images"]


def mistakes(stack: Path) -> list[str]:
    return [str(each).replace(f"{stack}/", "") for each in read_stack(stack / "provision")[1]]


def test_expected_documents_are_grades_of_one_within_the_first_ten(stack: Path) -> None:
    (query,) = read(stack, "queries: [{query: a cat, expect: [b, a]}]").queries
    assert query == Query("a cat", {"b": 1, "a": 1}, 10, path=("queries", 0))
    assert query.size == 10


def test_more_documents_than_ten_are_expected_among_as_many(stack: Path) -> None:
    (query,) = read(stack, f"queries: [{{query: a cat, expect: {json.dumps([str(n) for n in range(12)])}}}]").queries
    assert (query.within, query.size) == (12, 12)


def test_judged_documents_have_their_grades_and_answer_best_first(stack: Path) -> None:
    (query,) = read(stack, "queries: [{query: a cat, judged: {a: 1, b: 3, c: 0}}]\nthresholds: {p95_ms: 9}").queries
    assert (query.grades, query.within) == ({"a": 1, "b": 3, "c": 0}, None)
    assert query.relevant == ("b", "a")


def test_mode_and_field_of_the_file_hold_where_a_question_says_nothing(stack: Path) -> None:
    text = "mode: lexical\nfield: description\nqueries:\n"
    text += "- {query: a cat, expect: [a]}\n- {query: a cat, expect: [a], mode: hybrid, field: description_vector}\n"
    first, second = read(stack, text).queries
    assert (first.mode, first.field) == ("lexical", "description")
    assert (second.mode, second.field) == ("hybrid", "description_vector")


def test_a_question_stands_in_its_file_on_a_line(stack: Path) -> None:
    checks = read(stack, "queries:\n- query: a cat\n  expect: [a]\n- query: a dog\n  expect: [a]\n")
    assert [checks.place(each).line for each in checks.queries] == [2, 4]


def test_a_variable_is_whatever_the_environment_says(stack: Path) -> None:
    text = (
        "queries: [{query: a cat, expect: [a], within: '${var.replicas}'}]\nthresholds: {ndcg_at_10: '${var.weight}'}"
    )
    for environment, within in ((None, 1), ("production", 2)):
        checks = read(stack, text, environment=environment)
        assert checks.queries[0].within == within
        assert checks.thresholds == {"ndcg_at_10": 0.7}
    assert read(stack, text, given={"weight": 1}).thresholds == {"ndcg_at_10": 1.0}


def test_a_stack_without_checks_has_none(stack: Path) -> None:
    assert load_stack(stack / "provision").checks == {}
    shutil.rmtree(stack / "provision" / "checks")
    assert load_stack(stack / "provision").checks == {}


def test_a_yml_twin_of_checks_is_a_mistake_like_any_other(stack: Path) -> None:
    (stack / "provision" / "checks" / "images.yml").write_text("queries: []\n")
    assert mistakes(stack) == ["provision/checks/images.yml: ends in .yml, expected .yaml; rename it to images.yaml"]


def test_a_mistake_elsewhere_is_no_mistake_of_the_checks(stack: Path) -> None:
    read(stack, "queries: [{query: a cat, expect: [a], within: '${var.replicas}'}]")
    (stack / "provision" / "stack.yaml").write_text("name: [photos\n")
    (stack / "provision" / "index" / "images.yaml").write_text("mapings: {}\n")
    assert {each.partition(":")[0] for each in mistakes(stack)} == {
        "provision/stack.yaml", "provision/index/images.yaml",
    }  # fmt: skip


@given(trees())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("around", ["{tree}", '{{"queries": {tree}}}', '{{"queries": [{tree}], "worse_by": {tree}}}'])
def test_any_tree_is_checks_or_a_list_of_mistakes(stack: Path, around: str, tree: Any) -> None:
    path = stack / "provision" / "checks" / "images.yaml"
    path.write_text(around.format(tree=json.dumps(tree)), encoding="utf-8")
    spec, problems = read_stack(stack / "provision")
    assert bool(problems) != ("images" in spec.checks)
