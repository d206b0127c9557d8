"""Files that are replaced in one step: a reader sees the old or the new one, never half of it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace a file. A link that someone laid in its place is replaced, not followed. Raises OSError."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(temporary).chmod(mode)  # mkstemp keeps it to the owner
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
