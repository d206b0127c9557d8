"""All stacks of a folder: where they are, for which environments, and in which order they can be applied."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from osform.errors import InputError, SpecError
from osform.files import yaml

_READS = re.compile(r"\$\{stack\.([a-z0-9][a-z0-9-]*)\.")
_PASSED_OVER = {"node_modules", "templates", "models"}


def find(root: Path) -> tuple[Path, ...]:
    """The folders with a ``stack.yaml`` below ``root``, each after those that its files read. InputError for none."""
    found = sorted(_folders(root))
    if not found:
        raise InputError(f"{root}: no stack.yaml below it", hint="--provision DIR names another folder")
    names = {folder: _name(folder) for folder in found}
    owners = {name: folder for folder, name in names.items()}
    sorter: TopologicalSorter[Path] = TopologicalSorter()
    for folder in found:
        sorter.add(folder, *(owners[name] for name in sorted(_read(folder)) if name in owners))
    try:
        return tuple(sorter.static_order())
    except CycleError as error:
        way = " -> ".join(str(each) for each in reversed(error.args[1]))
        raise InputError(f"stacks that read each other: {way}", hint="one of them must do without the next") from error


def environments(folder: Path) -> tuple[str | None, ...]:
    """The environments of a stack; None, the default one, where it has no others."""
    names = sorted(path.stem for path in (folder / "environments").glob("*.yaml"))
    return tuple(names) or (None,)


def _folders(root: Path) -> Iterator[Path]:
    for folder, inner, files in os.walk(root):
        inner[:] = [name for name in inner if name[0] not in "._" and name not in _PASSED_OVER]
        if "stack.yaml" in files:
            inner.clear()
            yield Path(folder)


def _name(folder: Path) -> str:
    try:
        value = yaml.load(folder / "stack.yaml").value
    except SpecError:
        return ""  # loading the stack says what is wrong
    return str(value.get("name", "")) if isinstance(value, dict) else ""


def _read(folder: Path) -> set[str]:
    """The stacks that are named in a stack's files."""
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in folder.rglob("*.yaml") if path.is_file())
    return {name for text in texts for name in _READS.findall(text)}
