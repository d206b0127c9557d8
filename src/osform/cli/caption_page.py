"""What several models say of the same pictures, as one page of HTML with the pictures in it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from osform.flows.comparing_captions import Compared, Said


def html(compared: Compared, addresses: Mapping[str, str]) -> str:
    """The whole page; ``addresses`` are those of the pictures by name. Whatever others wrote is escaped."""
    rows: dict[str, list[Said]] = {}
    for row in compared.rows:
        rows.setdefault(row.image, []).append(row)
    pictures = [{"name": name, "address": _safe(addresses.get(name, "")), "rows": said} for name, said in rows.items()]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files("osform.cli").joinpath("captions.html.j2").read_text(encoding="utf-8"))
    return template.render(models=compared.models, summary=summary(compared), pictures=pictures)


def summary(compared: Compared) -> str:
    """How many pictures, and how fast each model was."""
    paces = [
        f"{model}: {run.run.pictures_per_second:.1f} a second" if run.run.described else f"{model}: described before"
        for model, run in zip(compared.models, compared.runs, strict=True)
    ]
    count = len({row.image for row in compared.rows})
    return f"{count} pictures; " + ", ".join(paces)


def _safe(address: str) -> str:
    return address if address.startswith(("http://", "https://", "data:image/jpeg;base64,")) else ""
