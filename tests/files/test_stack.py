"""Stacks read from folders, as people and their machines leave them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from osform.core.address import Address
from osform.core.resource import StackSpec
from osform.errors import SpecError
from osform.files.git import head
from osform.files.stack import load_stack, read_stack
from tests.trees import trees

BASE = Path(__file__).parents[1] / "specs" / "base"
GROUP = Address("model_group", "encoders")


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A good stack in a folder of its own."""
    shutil.copytree(BASE, tmp_path, dirs_exist_ok=True)
    return tmp_path


def mistakes(stack: Path, **how: Any) -> list[str]:
    _, problems = read_stack(stack / "provision", **how)
    return [str(problem).replace(f"{stack}/", "") for problem in problems]


def group(stack: Path, text: str) -> Path:
    path = stack / "provision" / "model_group" / "encoders.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_a_resource_at_its_path_and_its_body_is_the_api_s(stack: Path) -> None:
    spec = load_stack(stack / "provision")
    assert spec.resources[GROUP].body == {"name": "encoders"}
    assert sorted(map(str, spec.resources))[:2] == ["cluster_settings/ml", "index/images"]


def test_a_template_s_text_is_the_body_references_and_all(stack: Path) -> None:
    resource = load_stack(stack / "provision").resources[Address("ingest_pipeline", "describe")]
    (processor,) = resource.body["processors"]
    assert processor["text_embedding"]["model_id"] == "${model/minilm.model_id}"
    assert str(resource.place(("processors", 0, "text_embedding", "model_id"))).startswith(
        f"{stack}/templates/embed.yaml.j2:5 (for {stack}/provision/"
    )


@pytest.mark.parametrize(
    ("environment", "given", "replicas"),
    [(None, {}, 1), ("default", {}, 1), ("production", {}, 2), ("production", {"replicas": 5}, 5)],
)
def test_the_environment_outdoes_the_default_and_the_command_line_both(
    stack: Path, environment: str | None, given: dict[str, Any], replicas: int
) -> None:
    spec = load_stack(stack / "provision", environment, given)
    assert spec.variables == {"replicas": replicas, "weight": 0.7}


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/etc/passwd", "a\0b", "a b", "ü", "production.yaml"])
def test_an_environment_is_named_by_a_word_and_never_by_a_path(stack: Path, name: str) -> None:
    assert "is no name of an environment" in mistakes(stack, environment=name)[0]


@pytest.mark.parametrize(
    "spelling", ["provision", "provision/", "./provision", "{stack}/provision", "{stack}/provision/"]
)
def test_the_folder_may_be_spelt_in_any_way(stack: Path, spelling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(stack)
    assert len(load_stack(Path(spelling.format(stack=stack))).resources) == 6


def test_the_folder_may_be_where_one_stands(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(stack / "provision")
    assert len(load_stack(Path()).resources) == 6
    monkeypatch.chdir(stack / "provision" / "index")
    assert len(load_stack(Path("..")).resources) == 6


def test_links_are_followed_and_a_link_to_nothing_is_a_mistake(stack: Path) -> None:
    path = group(stack, "name: encoders\n")
    path.rename(stack / "elsewhere.yaml")
    path.symlink_to(stack / "elsewhere.yaml")
    path.with_name("gone.yaml").symlink_to(stack / "nowhere.yaml")
    path.with_name("loop.yaml").symlink_to("loop.yaml")
    told = mistakes(stack)
    assert [each.partition(":")[0] for each in told] == [
        "provision/model_group/gone.yaml",
        "provision/model_group/loop.yaml",
    ]


@pytest.mark.parametrize("name", ["übergrößen", "a b", "-a", "_a", "a+b", "日本", "😀", "a\nb", "a'b"])
def test_a_file_whose_name_no_reference_could_say_is_a_mistake(stack: Path, name: str) -> None:
    group(stack, "name: encoders\n").with_name(f"{name}.yaml").write_text("name: x\n")
    (told,) = mistakes(stack)
    assert "is no name for a resource" in told


def test_a_file_name_that_is_no_unicode_is_a_mistake_that_can_be_printed(stack: Path) -> None:
    folder = os.fsencode(stack / "provision" / "model_group")
    with open(folder + b"/\xff\xfe.yaml", "w") as file:  # noqa: PTH123 - a path of bytes, which pathlib has none of
        file.write("name: x\n")
    (told,) = mistakes(stack)
    assert told.encode("utf-8", "backslashreplace")


@pytest.mark.parametrize("name", ["notes.txt", "a.YAML", "a.yaml~", "a.json", "sub/a.yaml"])
def test_whatever_else_lies_in_a_kind_s_folder_is_a_mistake(stack: Path, name: str) -> None:
    path = stack / "provision" / "index" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("mappings: {}\n")
    assert "expected one resource in a file <name>.yaml" in mistakes(stack)[0]


@pytest.mark.parametrize("name", [".DS_Store", "README.md", ".a.yaml.swp"])
def test_what_systems_and_people_leave_behind_is_passed_over(stack: Path, name: str) -> None:
    (stack / "provision" / "index" / name).write_bytes(b"\0")
    assert mistakes(stack) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_may_not_be_read_is_a_mistake(stack: Path) -> None:
    group(stack, "name: encoders\n").chmod(0)
    assert "can't be read: Permission denied" in mistakes(stack)[0]


def test_no_folder_and_no_stack_are_one_mistake_each(tmp_path: Path) -> None:
    way = "osform init writes one to start from; --provision DIR names another"
    assert mistakes(tmp_path) == [f"provision: there is no such folder; {way}"]
    (tmp_path / "provision" / "other").mkdir(parents=True)
    assert len(mistakes(tmp_path)) == 1


def test_a_literal_dollar_brace_survives_a_template(stack: Path) -> None:
    (stack / "templates" / "group.yaml.j2").write_text("name: {{ a }}\ndescription: {{ b }} {{ var.c }}\n")
    (stack / "provision" / "stack.yaml").write_text("name: s\nvariables: {replicas: 1, weight: 1, c: '$${c}'}\n")
    group(stack, "osform:\n  template: group.yaml.j2\n  values: {a: '$${a}', b: '${var.c}'}\n")
    resource = load_stack(stack / "provision").resources[GROUP]
    assert resource.body == {"name": "$${a}", "description": "$${c} $${c}"}


def test_a_variable_in_a_template_s_value_keeps_its_type(stack: Path) -> None:
    (stack / "templates" / "group.yaml.j2").write_text("name: n{{ a + 1 }}\n")
    group(stack, "osform:\n  template: group.yaml.j2\n  values: {a: '${var.replicas}'}\n")
    assert load_stack(stack / "provision").resources[GROUP].body == {"name": "n2"}


def test_a_mistake_in_a_value_is_told_where_the_value_stands(stack: Path) -> None:
    group(stack, "osform:\n  template: none.j2\n  values:\n    a: ${var.replica}\n    b: ${modle/minilm.model_id}\n")
    first, second = mistakes(stack)
    assert first.startswith("provision/model_group/encoders.yaml:4 osform.values.a: ${var.replica}: stack.yaml has no")
    assert second.startswith("provision/model_group/encoders.yaml:5 osform.values.b: ${modle/minilm.model_id}: there")


def test_a_reference_to_a_file_with_mistakes_is_no_second_mistake(stack: Path) -> None:
    group(stack, "nam: encoders\n")
    assert len(mistakes(stack)) == 1
    group(stack, "name: encoders\n").rename(stack / "provision" / "model_group" / "encoders.yml")
    assert len(mistakes(stack)) == 1


def test_a_model_with_mistakes_is_told_beside_a_resource_with_mistakes(stack: Path) -> None:
    (stack / "models" / "tiny" / "model.yaml").write_text("source: 5\n")
    group(stack, "nam: encoders\n")
    assert sorted(each.partition(":")[0] for each in mistakes(stack)) == [
        "models/tiny/model.yaml",
        "provision/model_group/encoders.yaml",
    ]


@given(trees())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("name", ["stack.yaml", "environments/default.yaml", "index/images.yaml", "model/minilm.yaml"])
def test_any_tree_in_any_file_is_a_stack_or_a_list_of_mistakes(stack: Path, name: str, tree: Any) -> None:
    (stack / "provision" / name).write_text(json.dumps(tree), encoding="utf-8")
    spec, problems = read_stack(stack / "provision")
    assert isinstance(spec, StackSpec)
    assert all(str(problem) for problem in problems)


def test_mistakes_are_raised_together(stack: Path) -> None:
    group(stack, "nam: encoders\ndescripton: x\n")
    with pytest.raises(SpecError) as raised:
        load_stack(stack / "provision")
    assert len(raised.value.problems) == 2


@pytest.fixture
def git(stack: Path) -> Callable[..., None]:
    def run(*words: str) -> None:
        name = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(stack), *name, *words], check=True, capture_output=True)

    run("init")
    run("add", ".")
    run("commit", "-m", "first")
    return run


def test_the_commit_is_told_and_that_files_of_the_stack_differ(stack: Path, git: Callable[..., None]) -> None:
    commit = head(stack, "provision", "templates")
    assert commit is not None
    assert len(commit) == 40
    (stack / "README").write_text("x")
    assert head(stack, "provision", "templates") == commit
    (stack / "templates" / "embed.yaml.j2").write_text("a: 1\n")
    assert head(stack, "provision", "templates") == f"{commit}+changes"
    assert load_stack_commit(stack) == f"{commit}+changes"


def load_stack_commit(stack: Path) -> str | None:
    return read_stack(stack / "provision")[0].commit


def test_outside_git_there_is_no_commit(tmp_path: Path) -> None:
    assert head(tmp_path) is None
    assert head(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("given", "read"),
    [("bundles", "PROJECT/bundles"), ("/srv/b", "/srv/b"), ("https://b.example/x", "https://b.example/x")],
)
def test_a_folder_of_bundles_is_that_of_the_project_wherever_osform_is_run(stack: Path, given: str, read: str) -> None:
    file = stack / "provision" / "stack.yaml"
    file.write_text(f"{file.read_text()}\nbundles: {given}\n")
    assert load_stack(stack / "provision").bundles == read.replace("PROJECT", str(stack))
