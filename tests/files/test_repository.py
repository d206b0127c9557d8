"""A followed repository: refs, files of commits, signatures, approvals, and what a kill has left."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from osform.core.watching import Approval
from osform.errors import CommitRefused, InputError, RepositoryError
from osform.files.repository import Repository
from tests.watched import QUIET, Origin


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    origin = Origin(tmp_path / "git")
    origin.commit("first", {"a/one.txt": "one"})
    return origin


@pytest.fixture
def mirror(origin: Origin, tmp_path: Path) -> Iterator[Repository]:
    with closing(opened(origin, tmp_path)) as repository:
        yield repository


def opened(origin: Origin, tmp_path: Path) -> Repository:
    repository = Repository(str(origin.bare), tmp_path / "mirror", os.environ | QUIET)
    repository.open()
    repository.fetch()
    return repository


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


@pytest.fixture
def signers(origin: Origin, tmp_path: Path) -> Path:
    """An SSH key that the origin signs with, and the file that says whose it is."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("there is no ssh-keygen")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    for name, value in (("gpg.format", "ssh"), ("user.signingKey", f"{key}.pub")):
        origin.git("config", name, value)
    file = tmp_path / "allowed_signers"
    file.write_text(f"ada@example.com {(tmp_path / 'key.pub').read_text()}")
    return file


def test_only_a_commit_with_a_good_signature_is_good(origin: Origin, mirror: Repository, signers: Path) -> None:
    unsigned = origin.head
    origin.git("commit", "--allow-empty", "-S", "--message", "signed")
    origin.push()
    mirror.fetch()
    mirror.verify(origin.head, str(signers))
    with pytest.raises(CommitRefused, match="no good signature"):
        mirror.verify(unsigned, str(signers))
    signers.write_text("")
    with pytest.raises(CommitRefused, match="no good signature"):
        mirror.verify(origin.head, str(signers))


def test_the_newest_approved_commit_is_found_by_a_signed_tag(origin: Origin, mirror: Repository, signers: Path) -> None:
    approval = Approval(tags="approved/*")
    origin.git("tag", "-s", "-m", "yes", "approved/1")
    approved = origin.head
    origin.commit("later")
    origin.git("tag", "approved/2")  # not signed
    origin.git("push", "--tags", "origin")
    mirror.fetch()
    assert mirror.approved(origin.head, approval, str(signers)) == approved
    assert mirror.approved(origin.head, Approval(tags="approved/*", signed=False), "") == origin.head
    assert mirror.approved(origin.head, Approval(tags="other/*"), str(signers)) is None


def test_a_note_that_begins_with_approve_approves(origin: Origin, mirror: Repository) -> None:
    approval = Approval(notes="osform", signed=False)
    origin.git("notes", "--ref=osform", "add", "-m", "approve: looked at by Ada", "HEAD")
    approved = origin.head
    origin.commit("later")
    origin.git("notes", "--ref=osform", "add", "-m", "not yet", "HEAD")
    origin.git("push", "origin", "refs/notes/*")
    mirror.fetch()
    assert mirror.approved(origin.head, approval, "") == approved
