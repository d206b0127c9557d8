"""Results as text for people, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bench.harness import Series, Table
from bench.machine import Machine


def as_json(machine: Machine, tracks: Mapping[str, Sequence[Table]], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that was measured, single rounds included; ``facts`` are the rest that is known of the run."""
    return {
        "machine": {
            "system": machine.system,
            "processor": machine.processor,
            "cores": machine.cores,
            "versions": machine.versions,
        },
        **facts,
        "tracks": {name: [_table_json(table) for table in tables] for name, tables in tracks.items()},
    }


def _table_json(table: Table) -> dict[str, Any]:
    return {
        "title": table.title,
        "unit": table.unit,
        "better": table.better,
        "reference": table.reference,
        "cores_elsewhere": table.elsewhere,
        "arms": [
            {
                "name": series.arm,
                "median": series.median,
                "quartiles": series.quartiles,
                "speed": table.speed(series.arm),
                "speeds": table.speeds(series.arm),
                "rounds": [sample and sample.value for sample in series.samples],
                "failures": series.failures,
                **series.extra,
            }
            for series in table.series
        ],
        "notes": table.notes,
    }


def as_text(table: Table) -> str:
    """A table with a line an arm: median, middle half, and how many times as fast as the reference."""
    extras = list(dict.fromkeys(name for series in table.series for name in series.extra))
    head = ["", table.unit, "middle half", "ratio", "its range", *extras, "rounds"]
    rows = [head, *([*_cells(table, series), *_extras(series, extras), _rounds(series)] for series in table.series)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    lines = [table.title]
    for row in rows:
        first, *others = row
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        lines.append("  " + "  ".join(cells).rstrip())
    lines.append(
        f"  ratio: how many times as fast as {table.reference}, the median over rounds; {table.better} is better"
    )
    lines += [f"  {note}" for note in table.notes]
    lines += [
        f"  {series.arm} did not finish in {times} of {len(series.samples)} rounds: {reason}"
        for series in table.series
        for reason, times in Counter(series.failures).items()
    ]
    return "\n".join(lines)


def _cells(table: Table, series: Series) -> list[str]:
    quartiles, speeds, speed = series.quartiles, table.speeds(series.arm), table.speed(series.arm)
    return [
        series.arm,
        figure(series.median),
        f"{figure(quartiles[0])} .. {figure(quartiles[1])}" if quartiles else "-",
        f"{speed:.2f}" if speed is not None else "-",
        f"{min(speeds):.2f} .. {max(speeds):.2f}" if speeds else "-",
    ]


def _extras(series: Series, names: Sequence[str]) -> list[str]:
    return [figure(series.extra.get(name)) for name in names]


def _rounds(series: Series) -> str:
    return f"{len(series.values)} of {len(series.samples)}" if series.failures else str(len(series.samples))


def figure(value: float | None) -> str:
    """A figure with three or four digits; a dash where there is none."""
    if value is None:
        return "-"
    whole = float(value).is_integer() or abs(value) >= 1000
    return f"{value:,.0f}" if whole else f"{value:.1f}" if abs(value) >= 10 else f"{value:.4g}"
