"""Templates: what they render, and on which of their lines a mistake is."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osform.core.document import Document
from osform.errors import SpecError
from osform.files import yaml
from osform.files.templates import Templates

USE = yaml.parse("osform:\n  template: t.j2\n  values:\n    a: 1\n", "use.yaml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def rendered(folder: Path, text: str | bytes, **values: Any) -> Document:
    (folder / "t.j2").write_bytes(text if isinstance(text, bytes) else text.encode())
    return Templates(folder).render("t.j2", values, {"name": "n", "kind": "index", "var": {"replicas": 1}}, USE)


def said(folder: Path, text: str | bytes, **values: Any) -> list[str]:
    with pytest.raises(SpecError) as raised:
        rendered(folder, text, **values)
    return [str(problem).replace(f"{folder}/", "") for problem in raised.value.problems]


def test_values_are_filled_in_and_references_are_left(folder: Path) -> None:
    document = rendered(folder, "id: ${model/{{ a }}.model_id}\nn: {{ var.replicas }}\nof: {{ name }}\n", a="m")
    assert document.value == {"id": "${model/m.model_id}", "n": 1, "of": "n"}


def test_a_rendered_value_has_the_line_of_the_template_that_it_comes_from(folder: Path) -> None:
    text = (
        "# comment\n{% for k in a %}\n{{ k }}:\n  {% if k == 'y' %}\n  deep: 1\n  {% endif %}\n{% endfor %}\nend: 1\n"
    )
    document = rendered(folder, text, a=["x", "y", "z"])
    assert document.value == {"x": None, "y": {"deep": 1}, "z": None, "end": 1}
    assert [document.place(path).line for path in (("x",), ("y",), ("y", "deep"), ("end",))] == [3, 3, 5, 8]
    assert str(document.place(("end",))) == f"{folder}/t.j2:8 (for use.yaml)"


EXPRESSIONS = {
    "a|map('upper')|join(', ')": "X, Y",
    "a|select('in', ['y'])|list|length": 1,
    "[{'b': {'c': 2}}, {'b': {'c': 3}}]|sum(attribute='b.c')": 5,
    "[1.5, 2]|sum(start=1)": 4.5,
    "[1, 2, 3]|batch(2, 0)|list|tojson": [[1, 2], [3, 0]],
    "[1, 2, 3]|slice(2)|map('list')|list|tojson": [[1, 2], [3]],
    "2.345|round(1)": 2.3,
    "{'k': 1}|dictsort|first|first": "k",
    "[{'k': 1}, {'k': 1}]|groupby('k')|list|length": 1,
    "'%s-%03d'|format('x', 7)": "x-007",
    "'{}/{:>3}'.format(1, 'b')": "1/  b",
    "[a, 1] == [['x', 'y'], 1] and 'x' in a and 'k' not in {'l': 1}": True,
    "a[:1] + a[1:]": ["x", "y"],
    "(1, 2)[0] ~ a[-1]": "1y",
    "'x y'|title|replace(' ', '-')": "X-Y",
    "dict(k=a).values()|first|last": "y",
}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_templates_do_with_values_is_done(folder: Path, expression: str) -> None:
    assert rendered(folder, f"k: {{{{ {expression} }}}}\nn: {{{{ a|length }}}}", a=["x", "y"]).value == {
        "k": EXPRESSIONS[expression], "n": 2,
    }  # fmt: skip


@given(st.lists(st.sampled_from(["{% if a %}", "{% endif %}", "{# note\n#}", "k{n}: 1", "k{n}: {{ a }}"]), max_size=9))
def test_each_key_has_the_line_on_which_its_template_has_it(tmp_path_factory: Any, lines: list[str]) -> None:
    body = [line.replace("{n}", str(n)) for n, line in enumerate(lines) if line not in ("{% if a %}", "{% endif %}")]
    text = "{% if a %}\nfirst: 1\n{% endif %}\n" + "\n".join(body) + "\nlast: {{ a }}\n"
    document = rendered(tmp_path_factory.getbasetemp(), text, a=1)
    for key in document.value:
        assert text.split("\n")[(document.place((key,)).line or 0) - 1].startswith(f"{key}:")


def test_lines_are_left_out_where_a_filter_makes_them_untraceable(folder: Path) -> None:
    document = rendered(folder, "{% set x %}\n b\n{% endset %}\na: {{ x|trim }}\nc: {{ a }}\n", a=1)
    assert (document.value, document.place(("c",)).line) == ({"a": "b", "c": 1}, None)


def test_all_values_that_are_missing_are_told_with_the_line_that_reads_them(folder: Path) -> None:
    assert said(folder, "a: {{ a }}\nb: {{ b }}\nc: {{ c }}\n", a=1) == [
        "use.yaml:3 osform.values: no value for 'b', which t.j2:2 reads; add b: ... under osform.values",
        "use.yaml:3 osform.values: no value for 'c', which t.j2:3 reads; add c: ... under osform.values",
    ]


def test_a_value_that_is_not_read_is_told_beside_the_one_that_is_missing(folder: Path) -> None:
    missing, unread = said(folder, "x: {{ field }}\ny: {{ other }}\n", filed=1, other=2)
    assert "does not read 'filed'; did you mean field?" in unread
    assert "no value for 'field'" in missing


def test_a_value_with_a_default_may_be_left_out(folder: Path) -> None:
    assert rendered(folder, "a: {{ b | default(3) }}\n").value == {"a": 3}


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("a: {{ 1 / 0 }}\n", "t.j2:1 (for use.yaml): can't be rendered: division by zero"),
        ("a: 1\nb: {{ [][3].x }}\n", "t.j2:2 (for use.yaml): can't be rendered"),
        ("a: {{ 'x' + 1 }}\n", "t.j2:1 (for use.yaml): can't be rendered"),
        ("\na: {{ var.replica }}\n", "t.j2:2 (for use.yaml): no key 'replica' in the mapping that is read here"),
        ("a: {{ ''.__class__.__mro__ }}\n", "t.j2:1 (for use.yaml): can't be rendered: access to attribute"),
        ("a: {{ range(10000000) | list }}\n", "t.j2:1 (for use.yaml): can't be rendered: Range too big"),
        ("{% include 't.j2' %}\n", "t.j2:1 (for use.yaml): the template includes or calls itself without end"),
        ("{% macro m() %}{{ m() }}{% endmacro %}\n{{ m() }}\n", "calls itself without end"),
        ("a: 1\n{% include 'u.j2' %}\n", "t.j2:2 (for use.yaml): no template 'u.j2'"),
        ("a: {{ 1 | nofilter }}\n", "t.j2:1: not a Jinja2 template: No filter named 'nofilter'"),
        ("a: 1\n{% if %}\n", "t.j2:2: not a Jinja2 template"),
        (b"a: 1\nb: \xff\n", "t.j2:2: not UTF-8 text, expected a Jinja2 template"),
        ("{# nothing #}\n", "t.j2:1 (for use.yaml): renders to nothing"),
        ("a: 1\nb: [\n", "t.j2:"),
        ("a: 1\na: 2\n", "t.j2:2 (for use.yaml): the key 'a' is there twice"),
    ],
)
def test_whatever_a_template_does_wrong_is_told_with_its_line(folder: Path, text: str | bytes, mistake: str) -> None:
    (told,) = said(folder, text)
    assert mistake in told


@pytest.mark.parametrize("name", ["../secret.j2", "/etc/passwd", "folder", "", "a\0b", "ingest\\t.j2", "none.j2"])
def test_a_template_is_found_in_its_folder_or_not_at_all(folder: Path, name: str) -> None:
    templates = folder / "templates"
    (templates / "folder").mkdir(parents=True)
    (folder / "secret.j2").write_text("a: 1\n")
    with pytest.raises(SpecError, match=r"use\.yaml:2 osform\.template: no template"):
        Templates(templates).render(name, {}, {}, USE)


@given(st.text("{}%#-'\"ab: \n[]|", max_size=30))
def test_any_text_is_rendered_or_refused_with_words(tmp_path_factory: Any, text: str) -> None:
    with suppress(SpecError):  # anything else is a traceback for the user
        rendered(tmp_path_factory.getbasetemp(), text)
