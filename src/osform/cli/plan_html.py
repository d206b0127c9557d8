"""A plan as one page of HTML that needs nothing else: no script, no picture, no request."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from osform.cli import plan_words as words
from osform.core.plan import Change, Plan


def html(plan: Plan) -> str:
    """The whole page; whatever users wrote is escaped by the template."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files("osform.cli").joinpath("plan.html.j2").read_text(encoding="utf-8"))
    return template.render(plan=plan, summary=words.summary(plan), changes=[_change(each) for each in plan.changes])


def _change(change: Change) -> dict[str, object]:
    differences, rest = words.shown(change)
    rows = []
    for difference in differences:
        old, new = words.pair(difference, 1000)
        has_before, has_after = words.sides(change, difference)
        place = difference.place
        rows.append({
            "path": words.path(difference),
            "before": old if has_before else "",
            "after": new if has_after else "",
            "place": words.line(f"{place.file}:{place.line}" if place and place.line else place.file if place else ""),
        })  # fmt: skip
    return {
        "sign": words.SIGNS[change.action], "action": change.action, "reason": change.reason,
        "address": words.line(str(change.address)), "file": words.line(str(change.place or "")),
        "remarks": words.remarks(change), "rows": rows, "rest": rest,
    }  # fmt: skip
