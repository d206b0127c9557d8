"""The documents that are measured with: docstrings of this Python's standard library, a seeded sample of them."""

from __future__ import annotations

import hashlib
import json
import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "stdlib" / "docstrings.py"
FIELD = "summary"
"""What the index ``stdlib`` embeds."""
BOUNDS = (16, 32, 64, 128)


@dataclass(frozen=True)
class Documents:
    """Documents as JSON Lines, each with an ``id`` of its own."""

    lines: tuple[str, ...]

    @property
    def texts(self) -> list[str]:
        """What is embedded of each document."""
        return [str(json.loads(line)[FIELD]) for line in self.lines]

    @property
    def sha256(self) -> str:
        """Of the lines: two runs with the same hash measured with the same documents."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()

    def write(self, path: Path) -> Path:
        path.write_text("".join(f"{line}\n" for line in self.lines), encoding="utf-8")
        return path


def sample(lines: Sequence[str], count: int, seed: int) -> Documents:
    """``count`` of the lines, or all where there are fewer, in an order that ``seed`` decides."""
    return Documents(tuple(random.Random(seed).sample(lines, min(count, len(lines)))))


def docstrings(count: int, seed: int) -> Documents:
    """A sample of this Python's docstrings. Other versions of Python have other ones, so the hash is shown."""
    made = subprocess.run([sys.executable, str(EXAMPLE)], capture_output=True, text=True, check=True)
    return sample(made.stdout.splitlines(), count, seed)


def histogram(lengths: Sequence[int]) -> str:
    """Lengths in one line: ``up to 16: 3, 17 to 32: 41, ..., more: 2; median 35, 95 % up to 80``."""
    parts, low = [], 0
    for bound in BOUNDS:
        parts.append(f"{low + 1 if low else 'up'} to {bound}: {sum(low < length <= bound for length in lengths)}")
        low = bound
    parts.append(f"more: {sum(length > low for length in lengths)}")
    most = sorted(lengths)[max(0, -(-len(lengths) * 95 // 100) - 1)]
    return f"{', '.join(parts)}; median {statistics.median(lengths):g}, 95 % up to {most}"


def describe(documents: Documents, tokens: Callable[[str], int]) -> list[str]:
    """What a reader should know of the documents: how many, which, how long."""
    return [
        f"{len(documents.lines):,} documents, SHA-256 {documents.sha256[:12]}",
        f"tokens a text: {histogram([tokens(text) for text in documents.texts])}",
    ]


_THINGS = (
    "bicycle", "lantern", "kettle", "sofa", "anchor", "violin",
    "ladder", "teapot", "compass", "basket", "helmet", "mirror",
)  # fmt: skip
_LOOKS = (
    "red", "worn", "painted", "heavy", "narrow", "polished",
    "wooden", "quiet", "foreign", "striped", "round", "pale",
)  # fmt: skip
_PLACES = (
    "harbour", "kitchen", "garden", "station", "market", "bridge",
    "attic", "meadow", "library", "workshop", "courtyard", "pier",
)  # fmt: skip
_DOING = (
    "leaning", "against", "standing", "beside", "hidden", "behind",
    "hanging", "over", "resting", "near", "lying", "under",
)  # fmt: skip


def short(count: int, seed: int) -> Documents:
    """Made-up descriptions of twelve words, no two alike, so that nothing is spared by knowing a text already."""
    return _made(count, seed, sentences=1)


def long(count: int, seed: int) -> Documents:
    """The same, of some two hundred words."""
    return _made(count, seed, sentences=17)


def _made(count: int, seed: int, sentences: int) -> Documents:
    chance = random.Random(seed)
    lines: dict[str, None] = {}
    while len(lines) < count:
        lines[" ".join(_sentence(chance) for _ in range(sentences))] = None
    return Documents(tuple(json.dumps({"id": f"d{n}", FIELD: text}) for n, text in enumerate(lines)))


def _sentence(chance: random.Random) -> str:
    which = 2 * chance.randrange(len(_DOING) // 2)
    doing = " ".join(_DOING[which : which + 2])
    look, other, third = chance.sample(_LOOKS, 3)
    thing, second = chance.sample(_THINGS, 2)
    return f"a {look} {thing} {doing} the {other} {second} in a {third} {chance.choice(_PLACES)}"
