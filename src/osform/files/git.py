"""From which commit the files are, for the ledger's record of who applied what."""

from __future__ import annotations

import subprocess
from pathlib import Path


def head(folder: Path, *folders: str) -> str | None:
    """The commit that is checked out; ``+changes`` behind it where files of these ``folders`` in it differ.

    None outside Git.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    return f"{commit}+changes" if _git(folder, "status", "--porcelain", "--", *folders) else commit


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            # Without optional locks: a status that is only looked at must not get in the way of a commit.
            ["git", "--no-optional-locks", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
