"""``validate``, ``render``, ``plan`` and ``apply`` as they are typed."""

from __future__ import annotations

import json
import os
import pty
import shutil
import time
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from osform.cli.main import COMMANDS, main
from osform.cli.plans import show
from osform.cli.stack import ask
from osform.core.address import Address
from osform.core.diff import ABSENT, Difference
from osform.core.plan import Create, Delete, Plan, Update
from osform.core.values import Secret, Unknown
from osform.errors import Place

BASE = Path(__file__).parents[1] / "specs" / "base"
PIPELINE = Address("ingest_pipeline", "describe")
PLAN = Plan(
    "photos",
    "production",
    (
        Create(
            address=PIPELINE,
            reason="new",
            differences=(
                Difference(("processors", 0, "text_embedding", "model_id"), ABSENT, Unknown("${model/m.model_id}")),
                Difference(("processors", 0, "text_embedding", "key"), ABSENT, Secret("${env.KEY}", "f1", "s3cret")),
            ),
            place=Place("provision/ingest_pipeline/describe.yaml"),
        ),
        Update(
            address=Address("index", "images"),
            reason="changed",
            differences=(
                Difference(("settings", "index.number_of_replicas"), "0", "1", Place("provision/index/images.yaml", 4)),
                Difference(("mappings", "properties", "n"), {}, ABSENT),
                Difference(("mappings", "_meta", "note"), "\x1b[31mred", "two\nlines"),
            ),
            place=Place("provision/index/images.yaml"),
            notes=("an earlier apply was cut off here and is taken up again",),
        ),
        Delete(address=Address("model_group", "old"), reason="removed"),
    ),
)


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a good stack, in which the command is typed."""
    shutil.copytree(BASE, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        out, err = capsys.readouterr()
        return int(str(ended.value.code)), out, err

    return run


def test_a_plan_is_shown_change_by_change_with_reason_file_before_and_after(capsys: Any) -> None:
    show(PLAN, "text")
    assert capsys.readouterr().out.splitlines() == [
        "+ ingest_pipeline/describe  create, new  provision/ingest_pipeline/describe.yaml",
        "    processors[0].text_embedding.model_id: ${model/m.model_id} (known after apply)",
        "    processors[0].text_embedding.key:      secret ${env.KEY} #f1",
        "~ index/images  update, changed  provision/index/images.yaml",
        "    an earlier apply was cut off here and is taken up again",
        '    settings.index.number_of_replicas: "0"             -> "1"  (provision/index/images.yaml:4)',
        "    mappings.properties.n:             {}              -> (nothing)",
        r'    mappings._meta.note:               "\u001b[31mred" -> "two\nlines"',
        "- model_group/old  delete, removed",
        f"photos (production): 1 to create, 1 to update, 1 to delete. checksum {PLAN.checksum}",
    ]


def test_a_plan_without_changes_says_so(capsys: Any) -> None:
    show(Plan("photos", "default", ()), "text")
    assert capsys.readouterr().out == "photos (default): no changes, the cluster is as the files say\n"


def test_a_plan_for_programs_is_json_without_secrets(capsys: Any) -> None:
    show(PLAN, "json")
    out = capsys.readouterr().out
    assert json.loads(out) == PLAN.to_json()
    assert "s3cret" not in out


def test_a_long_value_is_cut(capsys: Any) -> None:
    found = (Difference(("description",), "a" * 500, "b" * 500),)
    show(Plan("s", "e", (Update(address=PIPELINE, reason="changed", differences=found),)), "text")
    assert max(map(len, capsys.readouterr().out.splitlines()[:-1])) < 250


def test_a_plan_that_is_not_on_standard_output_is_shown_to_whoever_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hand, terminal = pty.openpty()
    os.write(hand, b"n\n")
    with os.fdopen(hand), os.fdopen(terminal) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        with pytest.raises(click.Abort):
            ask("carry out this plan?", "--yes", PLAN, "json")
    out, err = capsys.readouterr()
    assert out.strip() == ""
    assert err.startswith("+ ingest_pipeline/describe  create, new")
    assert err.splitlines()[-1].rstrip() == "carry out this plan? [y/N]:"


def test_validate_counts_what_it_checked(stack: Path, typed: Any) -> None:
    assert typed("validate") == (0, "photos (default): 6 resources, no mistake found\n", "")
    status, out, _ = typed("validate", "--env", "production", "--format", "json")
    assert (status, json.loads(out)["environment"], len(json.loads(out)["resources"])) == (0, "production", 6)


def test_one_resource_is_counted_as_one(tmp_path: Path, typed: Any) -> None:
    group = tmp_path / "provision" / "model_group" / "encoders.yaml"
    group.parent.mkdir(parents=True)
    group.write_text("name: encoders\n")
    (tmp_path / "provision" / "stack.yaml").write_text("name: small\n")
    assert typed("validate", "--provision", str(tmp_path / "provision"))[1].endswith("1 resource, no mistake found\n")


def test_a_plan_where_no_stack_is_names_the_command_that_writes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = typed("plan")
    assert (status, "osform init" in err) == (1, True)


def test_the_help_lists_every_command_in_a_section(typed: Any) -> None:
    shown = [line.split()[0] for line in typed("--help")[1].splitlines() if line.startswith("  ")]
    assert set(COMMANDS) <= set(shown)


def test_render_shows_all_bodies_or_one_in_both_formats(stack: Path, typed: Any) -> None:
    status, out, err = typed("render", "--format", "json")
    bodies = json.loads(out)
    assert (status, err, len(bodies)) == (0, "", 6)
    assert bodies["index/images"]["settings"]["index.number_of_replicas"] == "1"
    assert json.loads(typed("render", "index/images", "--format", "json")[1]) == {
        "index/images": bodies["index/images"]
    }
    assert yaml.safe_load(typed("render", "index/images")[1]) == bodies["index/images"]


def test_render_of_what_is_not_there_names_the_nearest(stack: Path, typed: Any) -> None:
    assert typed("render", "index/imges") == (
        1,
        "",
        "error: there is no index/imges in provision\nnext:  did you mean index/images?\n",
    )


def test_a_rendered_body_shows_no_secret(stack: Path, typed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSFORM_TEST_KEY", "s3cret")
    (stack / "provision" / "model_group" / "encoders.yaml").write_text(
        "name: a\ndescription: x ${env.OSFORM_TEST_KEY}\n"
    )
    status, out, err = typed("render")
    assert (status, err) == (0, "")
    assert "secret x ${env.OSFORM_TEST_KEY}" in out
    assert "s3cret" not in out


@pytest.mark.parametrize(
    ("value", "rendered"), [("3", "3"), ("'3'", "3"), ("", ""), ("true", "true"), ("a=b", "a=b"), ("a b", "a b")]
)
def test_a_variable_s_value_is_read_as_yaml(stack: Path, typed: Any, value: str, rendered: str) -> None:
    status, out, _ = typed("render", "index/images", "--format", "json", "--var", f"replicas={value}")
    assert (status, json.loads(out)["index/images"]["settings"]["index.number_of_replicas"]) == (0, rendered)


@pytest.mark.parametrize("value", ["replicas", "=3", "replicas={1", "replicas=@x", "replicas=#", "replicas=\udcff"])
def test_a_variable_that_can_not_be_read_is_an_error(stack: Path, typed: Any, value: str) -> None:
    status, out, err = typed("validate", "--var", value)
    assert (status, out) == (1, "")
    assert err.startswith("error: --var")


def test_a_cluster_that_is_not_there_is_an_error_and_not_a_traceback(stack: Path, typed: Any) -> None:
    for command in (["plan"], ["apply", "--yes"]):
        status, out, err = typed(*command, "--cluster", "127.0.0.1:9")
        assert (status, out) == (1, "")
        assert "connection refused, nothing listens there" in err
        assert "next:  is the cluster up?" in err


@pytest.mark.parametrize("words", [["validat"], ["plan", "--nope"], ["render", "a", "b"], ["plan", "--format", "xml"]])
def test_what_is_typed_wrongly_ends_with_1_since_2_means_differences(words: list[str], typed: Any) -> None:
    status, out, err = typed(*words)
    assert (status, out) == (1, "")
    assert "Error:" in err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_help(command: str, typed: Any) -> None:
    status, out, err = typed(command, "--help")
    assert (status, err) == (0, "")
    assert out.startswith("Usage: ")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ("prodction", "--env prodction: no stack below . has such an environment\nnext:  did you mean production?"),
        ("production", "no plan of provision (production)"),
        ("default", "no plan of provision (default)"),
    ],
)
def test_a_plan_of_all_stacks_is_of_an_environment_that_one_of_them_has(
    environment: str, said: str, stack: Path, typed: Any
) -> None:
    nothing = "http://127.0.0.1:1"  # nobody listens there
    status, out, err = typed("plan", "--all", "--env", environment, "--cluster", nothing, "--detailed-exitcode")
    assert (status, out) == (1, "")
    assert said in err


@pytest.mark.parametrize(
    "words", ["rollback index/images", "apply --abandon", "history", "show last", "unlock", "status", "doctor"]
)
def test_a_cluster_that_is_not_there_is_told_of_at_once(words: str, stack: Path, typed: Any) -> None:
    began = time.monotonic()
    status, _, err = typed(*words.split(), "--cluster", "http://127.0.0.1:1")
    assert (status, "connection refused, nothing listens there" in err) == (1, True)
    assert time.monotonic() - began < 15
