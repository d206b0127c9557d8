"""What is written beside the descriptions: which model made them and how, what came of it, and where the time went."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from osform.errors import InputError

_PACKAGES = ("osform", "transformers", "torch", "tokenizers", "pillow")


@dataclass
class Run:
    """The figures of one run; ``empty`` counts descriptions without a letter.

    Times in seconds, ``reading`` and ``computing`` summed over workers and replicas. The first batch was waited for
    in ``starting``, later ones in ``waiting``, with nothing to compute.
    """

    started: str = ""
    pictures: int = 0
    described: int = 0
    repeated: int = 0
    skipped: int = 0
    empty: int = 0
    failed: int = 0
    lines: int = 0
    seconds: float = 0.0
    pictures_per_second: float = 0.0
    starting: float = 0.0
    reading: float = 0.0
    waiting: float = 0.0
    computing: float = 0.0
    writing: float = 0.0
    batch: int = 0
    finished: bool = False


def path_of(out: Path) -> Path:
    """Where the manifest of a file of descriptions is."""
    return out.with_name(out.name + ".manifest.json")


@dataclass
class Manifest:
    """The manifest of a file of descriptions.

    ``identity`` is all that the text depends on: a file goes on only with the same. ``runs`` are all that wrote it.
    """

    path: Path
    identity: Mapping[str, Any]
    runs: list[Run] = field(default_factory=list)

    def take_up(self, lines: int) -> None:
        """Take in the runs before this one. Raises InputError where they described in another way."""
        if not self.path.exists():
            if lines:
                raise InputError(
                    f"{self.path} is not there, so nothing says how the lines that exist were made",
                    hint="another --out, or --restart to write the file anew",
                )
            return
        try:
            old = json.loads(self.path.read_text(encoding="utf-8"))
            differing = [key for key in self.identity if old["made_with"].get(key) != self.identity[key]]
            runs = [Run(**run) for run in old["runs"]]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self.path}: no manifest", hint="--restart writes both files anew") from error
        if lines and differing:
            key = differing[0]
            raise InputError(
                f"{self.path}: the lines that exist were made with {key} {json.dumps(old['made_with'].get(key))}, "
                f"now it is {json.dumps(self.identity[key])}",
                hint="another --out, or --restart to write the file anew",
            )
        self.runs = runs if lines else []

    def write(self) -> None:
        """Put the manifest in its place, whole. Raises InputError where there is no room for it."""
        versions = {package: version(package) for package in _PACKAGES}
        values = {"made_with": dict(self.identity), "versions": versions, "runs": [vars(run) for run in self.runs]}
        fresh = self.path.with_name(self.path.name + ".part")
        try:
            with fresh.open("w", encoding="utf-8") as stream:
                json.dump(values, stream, ensure_ascii=False, indent=1)
                stream.write("\n")
                stream.flush()
                os.fsync(stream.fileno())
            fresh.replace(self.path)
        except OSError as error:
            raise InputError(f"{self.path}: can't be written: {error.strerror}") from error
