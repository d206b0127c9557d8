"""The stack that `osform init` writes: complete, without a mistake, and never over anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from osform.errors import InputError
from osform.files.starter import stack_name, write_starter
from osform.flows.stack import Stack

ROOT = Path(__file__).parents[2]


def test_what_is_written_is_a_stack_without_a_mistake_in_every_environment(tmp_path: Path) -> None:
    written = write_starter(tmp_path / "new" / "place", "mine")
    assert all(path.is_file() for path in written)
    for environment in (None, "production"):
        stack = Stack.load(tmp_path / "new" / "place" / "provision", environment, environ={})
        assert (stack.spec.name, sorted(stack.spec.checks)) == ("mine", ["mine"])
        assert len(stack.render()) == len(stack.spec.resources) == 6


def test_the_model_is_the_repository_s_own(tmp_path: Path) -> None:
    write_starter(tmp_path, "mine")
    for name in ("model.yaml", "lock.yaml", "probes.txt"):
        ours, theirs = (root / "models" / "all-MiniLM-L6-v2" / name for root in (tmp_path, ROOT))
        assert ours.read_bytes() == theirs.read_bytes()


def test_two_stacks_share_nothing_but_cluster_settings(tmp_path: Path) -> None:
    resources = []
    for name in ("mine", "yours"):
        write_starter(tmp_path / name, name)
        resources.append({str(each) for each in Stack.load(tmp_path / name / "provision", environ={}).spec.resources})
    assert resources[0] & resources[1] == {"cluster_settings/ml"}
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in written if "my-stack" in str(path.relative_to(tmp_path)) + path.read_text()]


@pytest.mark.parametrize("there", ["provision/stack.yaml", "models/all-MiniLM-L6-v2/lock.yaml"])
def test_nothing_is_written_where_a_single_file_is_in_the_way(tmp_path: Path, there: str) -> None:
    path = tmp_path / there
    path.parent.mkdir(parents=True)
    path.symlink_to("nowhere")
    with pytest.raises(InputError, match=f"already there: {path}") as caught:
        write_starter(tmp_path, "mine")
    assert caught.value.hint == "nothing was written; give another folder"
    assert [each for each in tmp_path.rglob("*") if not each.is_dir()] == [path]


def test_what_else_lies_in_the_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine\n")
    write_starter(tmp_path, "mine")
    assert (tmp_path / "README.md").read_text() == "mine\n"


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can't be written: "):
        write_starter(tmp_path / "file" / "inner", "mine")


@pytest.mark.parametrize(
    ("folder", "name"), [("My Photos", "my-photos"), ("a_b.c", "a-b-c"), ("übung", "bung"), ("---", "my-stack")]
)
def test_a_stack_is_named_after_its_folder(tmp_path: Path, folder: str, name: str) -> None:
    assert stack_name(tmp_path / folder) == name


@pytest.mark.parametrize("name", ["", "A", "-a", "a b", "a" * 51])
def test_a_name_that_no_stack_may_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="is no name for a stack"):
        write_starter(tmp_path, name)
    assert list(tmp_path.iterdir()) == []
