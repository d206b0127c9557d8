"""Several models describe the same pictures, one after the other, and what they say is put side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from osform.caption.prompts import Uses
from osform.core.events import Report, silent
from osform.flows.captioning import A_CAPTION, USUAL_MANNER, USUAL_WEB, Captioned, Manner, Model, describe
from osform.flows.picture_inputs import Inputs, pictures
from osform.images.decoding import MOST_PIXELS, thumbnail
from osform.images.fetching import Web
from osform.images.pictures import Picture

THUMBNAIL = 320
"""The longest side of a picture on the page, in pixels."""


@dataclass(frozen=True)
class Said:
    """What each model says of a picture for one prompt, in the models' order; None where it could not be described."""

    image: str
    prompt: str
    texts: tuple[str | None, ...]
    reason: str = ""


@dataclass(frozen=True)
class Compared:
    """What came of it: the names of the models, their runs, and a row a picture and prompt."""

    models: tuple[str, ...]
    runs: tuple[Captioned, ...]
    rows: tuple[Said, ...]


def compare(
    inputs: Inputs,
    models: Sequence[Model],
    page: Path,
    *,
    uses: Uses = A_CAPTION,
    manner: Manner = USUAL_MANNER,
    web: Web = USUAL_WEB,
    report: Report = silent,
) -> Compared:
    """Have each model describe the pictures. Its lines are kept beside ``page``, so that a second run is quick.

    Raises what ``describe`` raises.
    """
    runs, found = [], []
    for number, model in enumerate(models, start=1):
        out = page.with_name(f"{page.stem}.{number}.jsonl")
        runs.append(describe(inputs, out, model, uses=uses, manner=manner, web=web, report=report))
        found.append(_lines(out))
    rows = [
        _said(picture.name, label, found) for picture in pictures(inputs) for label in uses.labels(picture.prompt)
    ]  # in the order of the pictures, each as often as it is named
    names = tuple(json.loads(run.manifest.read_text(encoding="utf-8"))["made_with"]["model"] for run in runs)
    return Compared(names, tuple(runs), tuple(dict.fromkeys(rows)))


def shown(inputs: Inputs) -> Iterator[tuple[str, str]]:
    """The pictures by name, as an address that a page can show: a small JPEG in itself, or where it is on the web."""
    for picture in pictures(replace(inputs, params={})):
        yield picture.name, _address(picture, inputs.most_bytes)


def _address(picture: Picture, most_bytes: int) -> str:
    return picture.url or thumbnail(picture.content, picture.path, THUMBNAIL, MOST_PIXELS, most_bytes)


Lines = Mapping[tuple[str, str | None], str]
"""Description by image and prompt; the reason of a picture that failed stands under the prompt None."""


def _lines(out: Path) -> Lines:
    found: dict[tuple[str, str | None], str] = {}
    with out.open(encoding="utf-8") as stream:
        for line in stream:
            value = json.loads(line)
            found[value["image"], value.get("prompt")] = value.get("description", value.get("error"))
    return found


def _said(image: str, prompt: str, found: Sequence[Lines]) -> Said:
    reason = next((lines[image, None] for lines in found if (image, None) in lines), "")
    return Said(image, prompt, tuple(lines.get((image, prompt)) for lines in found), reason)
