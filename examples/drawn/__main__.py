"""``python -m examples.drawn FOLDER``: pictures as PNG files, and ``truth.jsonl``, a line a picture."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from examples.drawn import Picture, draw


def truth(picture: Picture) -> dict[str, Any]:
    questions = {each.text: each.answer for each in picture.truth.questions()}
    things = sorted(picture.truth.things)
    return {"image": picture.name, "caption": picture.truth.caption, "things": things, "questions": questions}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.drawn", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    pictures = draw(asked.count, asked.seed)
    asked.folder.mkdir(parents=True, exist_ok=True)
    for each in pictures:
        each.image.save(asked.folder / each.name)
    lines = [json.dumps(truth(each)) + "\n" for each in pictures]
    (asked.folder / "truth.jsonl").write_text("".join(lines), encoding="utf-8")
    print(f"{len(pictures)} pictures in {asked.folder}, and what they show in truth.jsonl")


if __name__ == "__main__":
    main()
