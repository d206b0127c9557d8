"""A small working stack to start from: the files that ``osform init`` writes."""

from __future__ import annotations

import os
import re
from pathlib import Path

from osform.errors import InputError
from osform.files import yaml
from osform.files.writing import write_new

NAME = "my-stack"
"""The stack's name as the packaged files have it, in their names too: so no two stacks on a cluster want the same."""

_STARTER = Path(__file__).parents[1] / "starter"


def stack_name(folder: Path) -> str:
    """A name for a stack in this folder: what of the folder's own name a stack may be called."""
    return re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:50].strip("-") or NAME


def write_starter(folder: Path, name: str) -> tuple[Path, ...]:
    """Write the stack ``name`` into a folder, which is made where it is not there; returns what was written.

    Raises InputError, before anything is written, for a name that is none and where a file is in the way; and where a
    file can't be written.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,49}", name):
        hint = "expected lower-case letters, digits and -, at most 50"
        raise InputError(f"{name!r} is no name for a stack", hint=hint)
    files = {folder / str(source.relative_to(_STARTER)).replace(NAME, name): source for source in _sources()}
    in_the_way = [path for path in files if os.path.lexists(path)]
    if in_the_way:
        listed = ", ".join(str(path) for path in in_the_way[:5])
        more = f" and {len(in_the_way) - 5} more" if len(in_the_way) > 5 else ""
        raise InputError(f"already there: {listed}{more}", hint="nothing was written; give another folder")
    # 2024 and null are names as well, though YAML reads something else there.
    value = name if isinstance(yaml.parse(name, "--name").value, str) else f'"{name}"'
    for path, source in files.items():
        text = source.read_text(encoding="utf-8").replace(f"name: {NAME}\n", f"name: {value}\n").replace(NAME, name)
        write_new(path, text, "give another folder")
    return tuple(files)


def _sources() -> list[Path]:
    # The model's folder is a link to the repository's own there, and a folder once it is installed.
    walked = os.walk(_STARTER, followlinks=True)
    return sorted(Path(folder) / name for folder, _, names in walked for name in names)
