"""A followed repository: refs, files of commits, signatures, approvals, and what a kill has left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from osform.core.watching import Approval
from osform.errors import CommitRefused, InputError, RepositoryError
from osform.files.repository import Repository
from tests.watched import QUIET, Origin, opened


def test_the_files_of_a_commit_are_those_of_that_commit_whatever_the_branch_is_by_now(
    origin: Origin, mirror: Repository
) -> None:
    first = mirror.resolve("main")
    second = origin.commit("second", {"a/one.txt": "two"})
    mirror.fetch()
    assert mirror.resolve("main") == second
    assert (mirror.files(first) / "a" / "one.txt").read_text() == "one"
    assert (mirror.files(second) / "a" / "one.txt").read_text() == "two"


def test_a_commit_that_a_force_push_took_away_stays_as_long_as_it_is_kept(origin: Origin, mirror: Repository) -> None:
    lost = origin.commit("lost", {"a/one.txt": "lost"})
    mirror.fetch()
    mirror.keep("target", lost)
    origin.git("reset", "--hard", "HEAD~1")
    origin.push()
    mirror.fetch()
    assert mirror.resolve("main") == origin.head != lost
    assert (mirror.files(lost) / "a" / "one.txt").read_text() == "lost"


def test_a_branch_that_went_on_during_a_fetch_and_was_put_back_is_followed_back(origin: Origin, tmp_path: Path) -> None:
    first = origin.head
    second = origin.commit("second")
    back = ["update-ref", "refs/heads/main", first]
    origin.git(*back, where=origin.bare)
    ssh = tmp_path / "ssh"  # somebody pushes just before it is called the second time, for the fetch
    pushes = f"git -C {origin.bare} update-ref refs/heads/main {second}"
    lines = ["#!/bin/sh", f"echo >> {ssh}.log", f"[ $(wc -l < {ssh}.log) = 2 ] && {pushes}", "shift", 'eval "$*"']
    ssh.write_text("\n".join(lines))
    ssh.chmod(0o755)
    environ = os.environ | QUIET | {"GIT_SSH_COMMAND": str(ssh), "GIT_SSH_VARIANT": "simple"}
    with closing(Repository(f"host:{origin.bare}", tmp_path / "mirror", environ)) as mirror:
        mirror.open()
        mirror.fetch()
        assert mirror.resolve("main") == second
        origin.git(*back, where=origin.bare)
        mirror.fetch()
        assert mirror.resolve("main") == first


def test_the_newest_tag_of_a_pattern_is_followed(origin: Origin, mirror: Repository) -> None:
    for version in ("v1.9", "v1.10", "w2"):
        origin.commit(version)
        origin.git("tag", version)
    origin.git("push", "--tags", "origin")
    mirror.fetch()
    assert mirror.resolve("tags/v*") == origin.git("rev-parse", "v1.10")


def test_a_repository_that_is_away_is_an_error_and_the_commits_stay(origin: Origin, mirror: Repository) -> None:
    first = mirror.resolve("main")
    shutil.rmtree(origin.bare)
    with pytest.raises(RepositoryError, match="ls-remote"):
        mirror.fetch()
    assert mirror.resolve("main") == first
    assert mirror.files(first).is_dir()


def test_what_a_kill_left_is_cleared_and_no_half_tree_is_taken_for_a_whole_one(
    origin: Origin, mirror: Repository, tmp_path: Path
) -> None:
    commit = mirror.resolve("main")
    (mirror.folder / "trees" / f"{commit}.abcd.part").mkdir(parents=True)
    (mirror.folder / "mirror.git" / "refs" / "heads" / "main.lock").touch()
    mirror.close()
    origin.commit("next")
    with closing(opened(origin, tmp_path)) as again:
        assert again.folder == mirror.folder
        assert again.resolve("main") == origin.head
        assert [each.name for each in (again.folder / "trees").iterdir()] == []


def test_two_processes_have_a_mirror_each(origin: Origin, mirror: Repository, tmp_path: Path) -> None:
    with closing(opened(origin, tmp_path)) as other:
        assert other.folder != mirror.folder


def test_a_link_out_of_the_repository_is_refused(origin: Origin, mirror: Repository) -> None:
    (origin.clone / "secret").symlink_to("/etc/hostname")
    (origin.clone / "inside").symlink_to("a/one.txt")
    bad = origin.commit("a link")
    mirror.fetch()
    with pytest.raises(CommitRefused, match="secret is a link out of the repository"):
        mirror.files(bad)
    assert not (mirror.folder / "trees" / bad).exists()


def test_hooks_and_settings_of_a_repository_are_never_run(origin: Origin, mirror: Repository, tmp_path: Path) -> None:
    bad = origin.commit("filter", {".gitattributes": "* filter=evil\n", "b.txt": "b", ".git-hooks/post-checkout": "x"})
    mirror.fetch()
    assert (mirror.files(bad) / "b.txt").read_text() == "b"


def test_a_url_that_would_be_an_option_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no URL"):
        Repository("--upload-pack=x", tmp_path, {}).open()


def test_a_password_is_in_no_message(tmp_path: Path) -> None:
    repository = Repository("https://me:s3cret@127.0.0.1:1/x.git", tmp_path, os.environ | QUIET, seconds=20)
    repository.open()
    with closing(repository), pytest.raises(RepositoryError) as failed:
        repository.fetch()
    assert "s3cret" not in str(failed.value)


def test_a_note_that_begins_with_approve_approves(origin: Origin, mirror: Repository) -> None:
    approval = Approval(notes="osform", signed=False)
    origin.git("notes", "--ref=osform", "add", "-m", "approve: looked at by Ada", "HEAD")
    approved = origin.head
    origin.commit("later")
    origin.git("notes", "--ref=osform", "add", "-m", "not yet", "HEAD")
    origin.git("push", "origin", "refs/notes/*")
    mirror.fetch()
    assert mirror.approved(origin.head, approval, "") == approved


@pytest.mark.parametrize("path", ["a/one.txt", "a", ""], ids=["a text", "a folder", "the commit"])
def test_a_mirror_that_a_disk_has_spoiled_is_made_anew(origin: Origin, mirror: Repository, path: str) -> None:
    name = mirror._git("rev-parse", f"main:{path}" if path else "main")
    origin.git("gc", "--quiet", where=origin.bare)
    for pack in (mirror.folder / "mirror.git" / "objects" / "pack").glob("*"):
        pack.chmod(0o644)
        pack.rename(mirror.folder / pack.name)
        if pack.suffix == ".pack":
            with (mirror.folder / pack.name).open() as taken:
                subprocess.run(
                    ["git", "--git-dir", str(mirror.folder / "mirror.git"), "unpack-objects", "-q"],
                    stdin=taken,
                    check=True,
                )
    broken = mirror.folder / "mirror.git" / "objects" / name[:2] / name[2:]
    broken.chmod(0o644)
    broken.write_bytes(b"")
    with pytest.raises(RepositoryError):
        mirror.files(mirror.resolve("main"))
    mirror.fetch()
    assert (mirror.files(mirror.resolve("main")) / "a" / "one.txt").read_text() == "one"


def test_what_a_fetch_that_was_killed_left_is_cleared(mirror: Repository, tmp_path: Path) -> None:
    left = mirror.folder / "mirror.git" / "objects" / "pack" / "tmp_pack_x1"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"PACK")
    mirror.close()
    mirror.folder = tmp_path / "mirror"
    mirror.open()
    assert not left.exists()


def test_the_folder_stays_taken_while_a_git_command_of_a_killed_process_goes_on(
    origin: Origin, mirror: Repository, tmp_path: Path
) -> None:
    child = mirror._git._start(("-c", "alias.long=!sleep 60", "long"), {}, bare=True, out=subprocess.DEVNULL)
    mirror.close()
    with closing(opened(origin, tmp_path)) as other:
        assert other.folder != mirror.folder
    os.killpg(child.pid, signal.SIGKILL)
    child.communicate()
    with closing(opened(origin, tmp_path)) as again:
        assert again.folder == mirror.folder


def test_a_link_to_itself_is_refused_and_ends_nothing_else(origin: Origin, mirror: Repository) -> None:
    (origin.clone / "loop").symlink_to("loop")
    bad = origin.commit("a loop")
    mirror.fetch()
    with pytest.raises(CommitRefused, match="loop is a link out of the repository"):
        mirror.files(bad)


def test_a_release_is_newer_than_its_candidates(origin: Origin, mirror: Repository) -> None:
    for version in ("v1.10-rc1", "v1.10", "v1.9"):
        origin.commit(version)
        origin.git("tag", version)
    origin.git("push", "--tags", "origin")
    mirror.fetch()
    assert mirror.resolve("tags/v*") == origin.git("rev-parse", "v1.10")


def test_a_branch_that_is_gone_and_comes_back_is_found_again(origin: Origin, mirror: Repository) -> None:
    origin.git("branch", "--move", "other", where=origin.bare)
    mirror.fetch()
    with pytest.raises(RepositoryError, match="there is no refs/heads/main"):
        mirror.resolve("main")
    origin.git("branch", "--move", "main", where=origin.bare)
    mirror.fetch()
    assert mirror.resolve("main") == origin.head


def test_submodules_are_empty_folders_and_git_lfs_files_stay_pointers(origin: Origin, mirror: Repository) -> None:
    origin.git("update-index", "--add", "--cacheinfo", f"160000,{origin.head},module")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    origin.write(".gitattributes", "*.zip filter=lfs\n")
    origin.write("model.zip", pointer)
    origin.git("add", ".gitattributes", "model.zip")
    origin.git("commit", "--quiet", "-m", "more")
    origin.push()
    mirror.fetch()
    folder = mirror.files(origin.head)
    assert list((folder / "module").iterdir()) == []
    assert (folder / "model.zip").read_text() == pointer


def test_a_folder_that_can_not_be_written_is_an_error_with_a_way_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="Not a directory"):
        Repository("x", tmp_path / "file", {}).open()
