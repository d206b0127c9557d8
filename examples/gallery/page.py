"""A page of HTML with what each search found, and the pictures in it: one file, which needs nothing else."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, StrictUndefined
from PIL import Image

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{{ title }}</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.45 system-ui, sans-serif; }
  body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
  h1 { font-size: 1.3rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; }
  .row { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1.2rem; }
  figure { margin: 0; } img { width: 100%; border-radius: 6px; } figcaption small { opacity: .7; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
<p>{{ about }}</p>
{% for answer in answers %}
<h2>{{ answer.query }}</h2>
<div class="row">
{% for hit in answer.hits %}
<figure>
<img src="{{ hit.address }}" alt="{{ hit.text }}">
<figcaption>{{ hit.text }} <small>{{ "%.3f" | format(hit.score) }}, {{ hit.name }}</small></figcaption>
</figure>
{% endfor %}
</div>
{% endfor %}
</body>
</html>
"""


@dataclass(frozen=True)
class Hit:
    """A picture that was found, and what the captioner said of it, by which it was found."""

    name: str
    text: str
    score: float
    picture: Image.Image

    @property
    def address(self) -> str:
        """The picture itself, as an address."""
        content = io.BytesIO()
        self.picture.save(content, "PNG")
        return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


@dataclass(frozen=True)
class Answer:
    """What was asked, and the hits, the best first."""

    query: str
    hits: Sequence[Hit]


def page(title: str, about: str, answers: Sequence[Answer]) -> str:
    """The whole page; whatever others wrote is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(PAGE).render(title=title, about=about, answers=answers)
