"""Files of resources, written for what was found on a cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from osform.core.address import Address
from osform.errors import InputError
from osform.files.yaml import is_plain_text


class _Plain(yaml.SafeDumper):
    """Writes what repeats out in full, and texts of several lines as such."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Plain, text: str) -> yaml.ScalarNode:
    # YAML 1.1, which PyYAML writes, has texts that 1.2 reads as numbers: 1e5.
    style = "|" if "\n" in text else None if is_plain_text(text) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Plain.add_representer(str, _text)


def dump(body: Mapping[str, Any]) -> str:
    """A body as the YAML of a resource's file, which is read as the same body."""
    return yaml.dump(dict(body), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)


def write_resource(provision: Path, address: Address, body: Mapping[str, Any]) -> Path:
    """Write a resource's file, which must not be there yet. Raises InputError."""
    return write_new(provision / address.kind / f"{address.name}.yaml", dump(body))


def write_stack_file(provision: Path) -> Path | None:
    """Write ``stack.yaml`` where there is none, named after the project's folder; returns its path then."""
    path = provision / "stack.yaml"
    if path.exists():
        return None
    name = re.sub(r"[^a-z0-9]+", "-", provision.resolve().parent.name.lower()).strip("-")[:63]
    return write_new(path, dump({"name": name or "imported"}))


def write_new(path: Path, text: str, hint: str = "remove it, or give it another name") -> Path:
    """Write a file that must not be there yet, and its folder. Raises InputError with the hint."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file, _whole(path):
            file.write(text)
            file.flush()
    except OSError as error:
        raise InputError(f"{path}: can't be written: {error.strerror}", hint=hint) from error
    return path


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """A file that could not be written to its end, on a full disk say, would stand in the way of the next try."""
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
