"""Signatures and approvals for real: by SSH keys and by GnuPG, good ones and those that must not count."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from osform.core.watching import Approval
from osform.errors import CommitRefused
from osform.files.repository import Repository
from tests.docs.markdown import blocks, text
from tests.watched import QUIET, Origin


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


def test_a_tag_that_was_signed_under_another_name_approves_nothing(
    origin: Origin, mirror: Repository, signers: Path
) -> None:
    origin.git("tag", "-s", "-m", "yes", "approved/staging/1")
    origin.git("update-ref", "refs/tags/approved/production/1", "refs/tags/approved/staging/1")  # takes no key
    origin.git("push", "--tags", "origin")
    mirror.fetch()
    assert mirror.approved(origin.head, Approval(tags="approved/staging/*"), str(signers)) == origin.head
    assert mirror.approved(origin.head, Approval(tags="approved/production/*"), str(signers)) is None
    assert mirror.approved(origin.head, Approval(tags="approved/production/*", signed=False), "") == origin.head


def signed(origin: Origin, words: str = "signed") -> str:
    origin.git("commit", "--quiet", "--allow-empty", "-S", "--message", words)
    origin.push()
    return origin.head


def noted(origin: Origin) -> None:
    """A signed note on the newest commit, by the lines of the docs."""
    (lines,) = [each for each in blocks(text("docs/watching.md"), "sh") if "git notes" in each]
    subprocess.run(["sh", "-ec", lines], cwd=origin.clone, env=os.environ | QUIET, capture_output=True, check=True)


def test_a_signed_note_approves_and_no_note_of_somebody_else_does(
    origin: Origin, mirror: Repository, signers: Path
) -> None:
    approval = Approval(notes="osform")
    noted(origin)
    first = origin.head
    origin.commit("second")
    noted(origin)
    second = origin.head
    origin.commit("third")
    origin.git("notes", "--ref=osform", "add", "-m", "approve osform")
    origin.git("push", "--quiet", "origin", "refs/notes/osform")
    mirror.fetch()
    assert mirror.approved(origin.head, approval, str(signers)) == second
    assert mirror.approved(first, approval, str(signers)) == first
    assert mirror.approved(origin.head, Approval(notes="osform", signed=False), "") == origin.head


def test_signed_notes_under_another_ref_approve_nothing(origin: Origin, mirror: Repository, signers: Path) -> None:
    noted(origin)
    origin.git("update-ref", "refs/notes/production", "refs/notes/osform")  # takes no key
    origin.git("push", "--quiet", "origin", "refs/notes/production")
    mirror.fetch()
    assert mirror.approved(origin.head, Approval(notes="osform"), str(signers)) == origin.head
    assert mirror.approved(origin.head, Approval(notes="production"), str(signers)) is None
    assert mirror.approved(origin.head, Approval(notes="production", signed=False), "") == origin.head


def test_a_signature_that_was_good_ends_with_its_key(origin: Origin, mirror: Repository, signers: Path) -> None:
    commit = signed(origin)
    mirror.fetch()
    name, *key = signers.read_text().split(" ", 1)
    for option, good in (('namespaces="git"', True), ('namespaces="file"', False), ('valid-before="20200101"', False)):
        signers.write_text(f"{name} {option} {key[0]}")
        if good:
            mirror.verify(commit, str(signers))
        else:
            with pytest.raises(CommitRefused, match="no good signature"):
                mirror.verify(commit, str(signers))


class Keyring:
    """A GnuPG home of its own; its path is short, since the agent's socket is in it."""

    def __init__(self, home: str) -> None:
        self.environ = {"GNUPGHOME": home}

    def gpg(self, *words: str) -> str:
        command = ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", *words]
        done = subprocess.run(command, env=os.environ | self.environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def make(self, name: str) -> str:
        """A new key; its fingerprint."""
        self.gpg("--quick-generate-key", name, "ed25519", "sign", "1d")
        listed = self.gpg("--with-colons", "--list-secret-keys", name)
        return next(line.split(":")[9] for line in listed.split("\n") if line.startswith("fpr"))


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keyring]:
    if shutil.which("gpg") is None:
        pytest.skip("there is no gpg")
    with tempfile.TemporaryDirectory(prefix="gpg", dir="/tmp", ignore_cleanup_errors=True) as home:
        keyring = Keyring(home)
        monkeypatch.setenv("GNUPGHOME", home)
        yield keyring
        subprocess.run(["gpgconf", "--kill", "all"], env=os.environ | keyring.environ, check=False)


def test_with_gnupg_a_commit_is_good_by_a_key_of_the_keyring_until_that_is_revoked_or_gone(
    origin: Origin, keyring: Keyring, tmp_path: Path, signers: Path
) -> None:
    ada = keyring.make("Ada <ada@example.com>")
    origin.git("config", "gpg.format", "openpgp")
    origin.git("config", "user.signingKey", ada)
    commit = signed(origin)
    origin.git("tag", "-s", "-m", "yes", "approved/1")
    origin.git("push", "--quiet", "--tags", "origin")
    mirror = Repository(str(origin.bare), tmp_path / "mirror", os.environ | QUIET | keyring.environ)
    mirror.open()
    with closing(mirror):
        mirror.fetch()
        mirror.verify(commit, "")
        assert mirror.approved(commit, Approval(tags="approved/*"), "") == commit
        with pytest.raises(CommitRefused, match="no good signature"):
            mirror.verify(commit, str(signers))  # only the keys of that file count then
        home = Path(keyring.environ["GNUPGHOME"])
        revocation = home / "revoked.asc"
        text = (home / "openpgp-revocs.d" / f"{ada}.rev").read_text()
        revocation.write_text(text.replace(":-----BEGIN", "-----BEGIN"))
        keyring.gpg("--import", str(revocation))
        with pytest.raises(CommitRefused, match="no good signature"):
            mirror.verify(commit, "")
        keyring.gpg("--yes", "--delete-secret-and-public-key", ada)
        with pytest.raises(CommitRefused, match="no good signature"):
            mirror.verify(commit, "")
        assert mirror.approved(commit, Approval(tags="approved/*"), "") is None
