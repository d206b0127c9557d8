"""What the tests of the docs read of a Markdown file: its code blocks, sections, links and words in backquotes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text(name: str) -> str:
    """A file of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(markdown: str, *languages: str) -> list[str]:
    """The contents of the fenced blocks in one of these languages."""
    return [match[2] for match in _FENCE.finditer(markdown) if match[1] in languages]


def sections(markdown: str) -> dict[str, str]:
    """The text below each heading of the second level."""
    pieces = re.split(r"^## (.+)$", markdown, flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def quoted(markdown: str) -> set[str]:
    """Whatever stands in backquotes on a line."""
    return set(re.findall(r"`([^`\n]+)`", _FENCE.sub("", markdown)))


def links(markdown: str) -> list[str]:
    """The targets of all links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", _FENCE.sub("", markdown))


def anchors(markdown: str) -> set[str]:
    """The anchors that headings get on GitHub and its like."""
    heads = re.findall(r"^#+ (.+)$", _FENCE.sub("", markdown), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@dataclass(frozen=True)
class Typed:
    """A command line of a console block, and what the block shows of its output."""

    command: str
    output: str


def typed(markdown: str) -> Iterator[Typed]:
    """The command lines of all console blocks, in order."""
    for block in blocks(markdown, "console"):
        for piece in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = piece.partition("\n")
            yield Typed(command, output)
