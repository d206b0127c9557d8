"""The templates of the pages, and errors as they say them. Whatever others wrote is escaped by the templates."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from osform.errors import OsformError, SpecError


@dataclass(frozen=True)
class Problem:
    """What went wrong, a sentence or several, and the next step."""

    sentences: tuple[str, ...]
    hint: str = ""


def problem_of(error: OsformError) -> Problem:
    """An error as a page says it."""
    if isinstance(error, SpecError):
        return Problem(tuple(str(each) for each in error.problems))
    return Problem((error.message,), error.hint or "")


class Pages:
    """Renders templates. ``mark`` is part of the addresses of style sheet and script: another version, other ones."""

    def __init__(self, assets: Sequence[str]) -> None:
        folder = files("osform.ui")
        content = b"".join(folder.joinpath(name).read_bytes() for name in assets)
        self.mark = hashlib.sha256(content).hexdigest()[:12]
        self._environment = Environment(
            loader=PackageLoader("osform.ui", "."), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip

    def render(self, template: str, **values: Any) -> bytes:
        """A page, as it is sent."""
        return self._environment.get_template(template).render(mark=self.mark, **values).encode("utf-8", "replace")
