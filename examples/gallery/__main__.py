"""``python -m examples.gallery ALIAS QUERY... --html FILE``: search, and show the pictures that the hits are about.

The documents are what ``osform caption`` writes: ``image`` is a picture's path, ``description`` what is said of it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from PIL import Image

from examples.gallery.page import Answer, Hit, page
from examples.gallery.terminal import COLUMNS, Can, can, shown

OSFORM = Path(sys.executable).with_name("osform")
ABOUT = (
    "The cluster was given the captions alone, which a toy BLIP-2 made, and never saw a picture. It found these by "
    "what the words of question and caption mean; hardly one of them is in both."
)


def answer(alias: str, query: str, size: int) -> Answer:
    """Ask the cluster, as anybody would do it by hand."""
    words = ["search", alias, query, "--mode", "semantic", "--size", str(size)]
    print("$ osform " + " ".join(f'"{word}"' if " " in word else word for word in words), flush=True)
    done = subprocess.run([str(OSFORM), *words, "--format", "json"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    hits = []
    for each in json.loads(done.stdout)["hits"]:
        source = each["source"]
        with Image.open(source["image"]) as picture:
            hits.append(Hit(source["image"], source["description"], each["score"], picture.convert("RGB")))
    return Answer(query, hits)


def tell(found: Answer, how: Can) -> None:
    """The pictures side by side with their captions below, or the captions alone."""
    sys.stdout.write(shown([hit.picture for hit in found.hits], how) if found.hits else "")
    for number, hit in enumerate(found.hits, start=1):
        print(f"{number}. {hit.score:.4f}  {hit.text}  ({Path(hit.name).name})")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.gallery", description=__doc__)
    parser.add_argument("alias")
    parser.add_argument("queries", nargs="+", metavar="query")
    parser.add_argument("--size", type=int, default=3)
    parser.add_argument("--html", type=Path, required=True)
    asked = parser.parse_args()
    how = can(os.environ, sys.stdout.isatty())
    if how is not Can.NOTHING and os.get_terminal_size().columns < asked.size * (COLUMNS + 2):
        how = Can.NOTHING
    answers = []
    for query in asked.queries:
        answers.append(answer(asked.alias, query, asked.size))
        tell(answers[-1], how)
    asked.html.write_text(page("Pictures found by what they mean", ABOUT, answers), encoding="utf-8")
    print(f"the pictures found are in {asked.html}: {asked.html.resolve().as_uri()}")


if __name__ == "__main__":
    main()
