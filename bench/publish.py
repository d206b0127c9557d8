"""``python -m bench.publish RESULT.json``: what a run of ``bench --format json`` found, as a page shows it.

Each table becomes a Markdown table with its notes, and a chart beside it. They go between the marks

    <!-- bench TRACK -->
    <!-- /bench TRACK -->

of the page, which is docs/performance.md where no other is named; charts are written to ``images`` beside it. Whatever
stood between the marks is replaced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import click

from bench.machine import company
from bench.report import figure
from bench.texts import ROOT

PAGE = ROOT / "docs" / "performance.md"
_WIDTH, _LEFT, _BAR, _GAP, _TOP = 760, 300, 24, 10, 34
_BACK, _INK, _DIM, _OURS, _THEIRS = "#ffffff", "#1f2328", "#656d76", "#0969da", "#8c959f"

Found = Mapping[str, Any]


@click.command()
@click.argument("result", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--page", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=PAGE)
def main(result: Path, page: Path) -> None:
    """Write the tables and charts of a run into a page."""
    found = json.loads(result.read_text(encoding="utf-8"))
    text = page.read_text(encoding="utf-8")
    for track, tables in found["tracks"].items():
        charts = {f"{track}-{number}.svg": chart(table) for number, table in enumerate(tables, 1)}
        text = between(text, track, section(found, tables, list(charts)))
        for name, drawn in charts.items():
            (page.parent / "images" / name).write_text(drawn, encoding="utf-8")
    page.write_text(text, encoding="utf-8")


def between(page: str, track: str, section: str) -> str:
    """The page with something else between the marks of a track. Raises ClickException where there are none."""
    marks = re.compile(rf"(<!-- bench {re.escape(track)} -->\n).*?(<!-- /bench {re.escape(track)} -->)", re.DOTALL)
    if not marks.search(page):
        raise click.ClickException(f"the page has no <!-- bench {track} --> and <!-- /bench {track} -->")
    return marks.sub(lambda found: f"{found[1]}\n{section}\n{found[2]}", page)


def section(found: Found, tables: Sequence[Found], charts: Sequence[str]) -> str:
    """Everything about some tables: the machine first, since no figure is worth anything without it."""
    machine = found["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    if found.get("opensearch"):
        versions += f", OpenSearch {found['opensearch']}"
    parts = [f"{machine['processor']}, {machine['cores']} cores; {versions}."]
    parts += [f"**Not worth quoting:** {doubt}." for doubt in found.get("doubts", ())]
    for table, name in zip(tables, charts, strict=True):
        parts += [f"![{table['title']}: {table['unit']}](images/{name})", markdown(table, machine["cores"])]
    return "\n\n".join(parts) + "\n"


def markdown(table: Found, cores: int) -> str:
    """One table: medians, the middle half, and how many times as fast as the reference, which is in bold."""
    known = {"name", "median", "quartiles", "speed", "speeds", "rounds", "failures"}
    extras = list(dict.fromkeys(key for arm in table["arms"] for key in arm if key not in known))
    head = [table["title"], table["unit"], "middle half", "ratio", "its range", *extras, "rounds"]
    lines = [_line(head), _line(["---"] * len(head))]
    lines += [_line(_row(arm, extras, arm["name"] == table["reference"])) for arm in table["arms"]]
    beside = company(cores, table.get("cores_elsewhere"))
    notes = [f"ratio: how many times as fast as {table['reference']}", *table["notes"], beside]
    return "\n".join(lines) + "\n\n" + "\n".join(f"- {note}" for note in notes)


def _row(arm: Found, extras: Sequence[str], reference: bool) -> list[str]:
    quartiles, speeds, rounds = arm["quartiles"], arm["speeds"], arm["rounds"]
    done = sum(each is not None for each in rounds)
    name = f"**{arm['name']}**" if reference else arm["name"]
    middle = " to ".join(figure(each) for each in quartiles) if quartiles else "-"
    reach = f"{min(speeds):.2f} to {max(speeds):.2f}" if speeds else "-"
    ratio = f"{arm['speed']:.2f}" if arm["speed"] is not None else "-"
    shown = [figure(arm.get(name)) for name in extras]
    return [name, figure(arm["median"]), middle, ratio, reach, *shown, f"{done} of {len(rounds)}"]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def chart(table: Found) -> str:
    """Bars of the medians with whiskers from the first to the third quartile, as SVG that needs no font or script."""
    arms = table["arms"]
    most = max((arm["quartiles"][1] for arm in arms if arm["quartiles"]), default=1.0)
    high = _TOP + len(arms) * (_BAR + _GAP) + 8
    scale = (_WIDTH - _LEFT - 90) / most
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {high}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{high}" fill="{_BACK}"/>',
        f'<text x="8" y="20" fill="{_INK}" font-weight="bold">{escape(table["title"])}: {escape(table["unit"])}</text>',
    ]
    for place, arm in enumerate(arms):
        lines += _bar(arm, _TOP + place * (_BAR + _GAP), scale, arm["name"] == table["reference"])
    return "\n".join([*lines, "</svg>"]) + "\n"


def _bar(arm: Found, top: int, scale: float, reference: bool) -> list[str]:
    middle = top + _BAR / 2
    lines = [f'<text x="{_LEFT - 8}" y="{middle + 4:.0f}" fill="{_INK}" text-anchor="end">{escape(arm["name"])}</text>']
    if arm["median"] is None:
        return [*lines, f'<text x="{_LEFT}" y="{middle + 4:.0f}" fill="{_DIM}">did not finish</text>']
    (low, high), long = arm["quartiles"], arm["median"] * scale
    fill = _OURS if reference else _THEIRS
    return [
        *lines,
        f'<rect x="{_LEFT}" y="{top}" width="{long:.1f}" height="{_BAR}" rx="2" fill="{fill}"/>',
        f'<path d="M{_LEFT + low * scale:.1f} {middle} H{_LEFT + high * scale:.1f}" stroke="{_INK}" stroke-width="2"/>',
        f'<text x="{_LEFT + max(long, high * scale) + 6:.1f}" y="{middle + 4:.0f}" fill="{_INK}">'
        f"{figure(arm['median'])}</text>",
    ]


if __name__ == "__main__":
    main()
