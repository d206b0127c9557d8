"""What captions say of pictures, by the hash of each picture's bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from osform.errors import InputError


@dataclass(frozen=True)
class Texts:
    """Descriptions by the hash of their picture, and the field that they go to."""

    name: str
    of: Mapping[str, str]


def descriptions(files: Sequence[Path], name: str) -> Texts:
    """Of several lines of one picture, the first without a prompt counts, else the first.

    Raises InputError for a file that can't be read, or that ``osform caption`` did not write.
    """
    found: dict[str, tuple[bool, str]] = {}
    for path in files:
        try:
            with path.open(encoding="utf-8") as lines:
                for number, line in enumerate(lines, start=1):
                    _take(found, json.loads(line), f"{path}:{number}")
        except (OSError, ValueError) as error:
            raise InputError(f"--captions {path}: can't be read: {error}", hint="a file of osform caption") from error
    return Texts(name, {digest: text for digest, (_, text) in found.items()})


def _take(found: dict[str, tuple[bool, str]], line: Any, place: str) -> None:
    if not isinstance(line, dict) or not ("error" in line or {"sha256", "description"} <= line.keys()):
        raise InputError(f"--captions {place}: no line of osform caption", hint='expected {"sha256", "description"}')
    if "error" in line:
        return
    plain = not line.get("prompt")
    if line["sha256"] not in found or (plain and not found[line["sha256"]][0]):
        found[line["sha256"]] = (plain, str(line["description"]))
