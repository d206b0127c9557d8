"""Strict YAML: one document of plain JSON types, each part with its line, every mistake with a remedy.

Scalars follow the YAML 1.2 core schema, so that ``no``, ``on`` and ``2026-01-01`` stay text. Anchors, aliases, tags and
merge keys are refused: what repeats belongs in a template, and a file of aliases can't grow into gigabytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

import yaml

from osform.core.document import Document, Path
from osform.errors import Place, Problem, SpecError

MOST_BYTES = 4_000_000  # far beyond any body that a person reviews
_NO_TEXT = "save it as UTF-8 text, or take it out of the folder"
MOST_DEEP = 100  # beyond it, whatever walks the tree would run out of stack
_MOST_BRACKETS = 1000
_BRACKET = re.compile(r"[\[\]{}]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SURROGATE_PAIR = re.compile(r"[\ud800-\udbff][\udc00-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# Text that libyaml and PyYAML's own parser read alike: none of the characters that they treat each in its own way.
_SIMPLE = re.compile(r"[\n -~\u00a0-\u2027\u202f-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*")
_SPECIAL = re.compile(r"[&*!%?]|[|>][-+\d]*#|---")
_MOST_SIMPLE = 500  # brackets, and letters in a line: libyaml's binding crashes on deep nesting
_QUOTED = re.compile(r'(?<=: )"[^"\\\n]*"$', re.MULTILINE)  # may be long, and nests nothing: a probe's vector


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2's core schema, and no others."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own design


class _FastLoader(getattr(yaml, "CSafeLoader", _Loader)):  # type: ignore[misc]  # PyYAML may lack libyaml
    """The same on libyaml, ten times as fast; its messages are its own, so it is asked for good text only."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


for tag, pattern, first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^(?:[-+]?[0-9]+|0x[0-9a-fA-F]+)$", list("-+0123456789")),
    (
        "float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        list("-+0123456789."),
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), first)


def is_plain_text(text: str) -> bool:
    """Whether a scalar without quotes is read as text, as far as its letters go."""
    rules = _Loader.yaml_implicit_resolvers.get(text[:1], [])
    return not any(pattern.match(text) for _, pattern in rules)


def load(path: File, *, shown: str | None = None) -> Document:
    """Read one YAML file. ``shown`` is the name that messages use, by default the path.

    Raises SpecError for anything that isn't one strict YAML document.
    """
    name = shown or str(path)
    try:
        if path.exists() and not path.is_file():
            raise SpecError([Problem(Place(name), "not a file that can be read, expected YAML text", hint=_NO_TEXT)])
        size = path.stat().st_size
        data = path.read_bytes() if size <= MOST_BYTES else b""
    except OSError as error:
        raise SpecError([Problem(Place(name), f"can't be read: {error.strerror}")]) from error
    if size > MOST_BYTES:
        raise SpecError([Problem(Place(name), f"{size:,} bytes, expected at most {MOST_BYTES:,}")])
    return parse(data, name)


def parse(data: bytes | str, file: str) -> Document:
    """Turn YAML text into a Document named ``file``; raises SpecError with everything that is wrong."""
    text = data if isinstance(data, str) else _decode(data, file)
    bad = _CONTROL.search(text)
    if bad:
        line = text.count("\n", 0, bad.start()) + 1
        message = f"a control character {bad.group()!r}, expected YAML text"
        raise SpecError([Problem(Place(file, line), message, hint=_NO_TEXT)])
    lines: dict[Path, int] = {}
    problems: list[Problem] = []
    try:
        if _deepest(text) > _MOST_BRACKETS:
            raise RecursionError  # PyYAML would get there too, in minutes
        root = _compose(text, file)
        if root is None:
            raise SpecError([Problem(Place(file, 1), "nothing in it, expected YAML", hint="write KEY: VALUE")])
        value = _build(root, (), file, lines, problems)
    except RecursionError as error:
        raise SpecError([Problem(Place(file), "nested too deeply to be read")]) from error
    if problems:
        raise SpecError(problems)
    return Document(file, value, lines)


def _deepest(text: str) -> int:
    """How many brackets are open at most; one inside quotes counts, for this is a bound and no parser."""
    depth = most = 0
    for found in _BRACKET.finditer(text):
        depth = depth + 1 if found[0] in "[{" else max(0, depth - 1)
        most = max(most, depth)
    return most


def _decode(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SpecError([Problem(Place(file, line), "not UTF-8 text, expected YAML", hint=_NO_TEXT)]) from error


def _compose(text: str, file: str) -> yaml.Node | None:
    return _composed_fast(text) or _composed_slowly(text, file)


def _composed_fast(text: str) -> yaml.Node | None:
    """The one document of simple text, or None where only the slow way can tell what it is, or what is wrong."""
    longest = max(map(len, _QUOTED.sub("", text).split("\n")))
    deep = text.count("[") + text.count("{") > _MOST_SIMPLE or longest > _MOST_SIMPLE
    if deep or _SPECIAL.search(text) or not _SIMPLE.fullmatch(text):
        return None
    try:
        loader = _FastLoader(text)
        root = loader.get_node() if loader.check_node() else None
        return None if loader.check_node() else root
    except yaml.YAMLError:
        return None


def _composed_slowly(text: str, file: str) -> yaml.Node | None:
    try:
        _refuse_anchors(text, file)
        loader = _Loader(text)
        if not loader.check_node():
            return None
        root = loader.get_node()
        if loader.check_node():
            line = loader.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]  # PyYAML has no types
            hint = "one resource a file: put the second into a file of its own"
            raise SpecError([Problem(Place(file, line), "a second YAML document, expected one", hint=hint)])
        return root
    except yaml.MarkedYAMLError as error:
        raise SpecError([_syntax(error, text, file)]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"the character U+{error.character:04X}, expected YAML text"
        raise SpecError([Problem(Place(file, line), message)]) from error
    except (ValueError, OverflowError) as error:  # PyYAML's own slip: an escape beyond the last character
        raise SpecError([Problem(Place(file), f"not YAML: {error}")]) from error


def _refuse_anchors(text: str, file: str) -> None:
    problems = [
        Problem(
            Place(file, event.start_mark.line + 1 if event.start_mark else None),
            "a YAML anchor, alias or tag, expected plain values",
            hint="what repeats belongs in a template (osform: template:)",
        )
        for event in yaml.parse(text, Loader=_Loader)
        if getattr(event, "anchor", None) or getattr(event, "tag", None)
    ]
    if problems:
        raise SpecError(problems)


def _syntax(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Problem(Place(file), f"not YAML: {error.problem}")
    place = Place(file, mark.line + 1)
    # What PyYAML makes of a tab depends on what surrounds it; the reader's mistake is the same.
    near = text.split("\n")[max(0, mark.line - 1) : mark.line + 1]
    tabbed = [line for line in near if "\t" in line[: len(line) - len(line.lstrip())]]
    if "'\\t'" in (error.problem or "") or tabbed:
        line = mark.line + 1 if not tabbed or tabbed[-1] is near[-1] else mark.line
        return Problem(Place(file, line), "a tab, expected spaces", hint="indent with spaces")
    hint = "text with a colon or a brace in it goes into quotes"
    if "mapping values" not in (error.problem or ""):
        hint = "look for a quote or bracket that is not closed, or a line that is not indented like its neighbours"
    context = f" ({error.context})" if error.context else ""
    return Problem(place, f"not YAML: {error.problem}{context}", hint=hint)


def _build(node: yaml.Node, path: Path, file: str, lines: dict[Path, int], problems: list[Problem]) -> Any:
    lines[path] = node.start_mark.line + 1
    if len(path) > MOST_DEEP:
        raise SpecError([Problem(Place(file, lines[path]), f"nested deeper than {MOST_DEEP} levels")])
    match node:
        case yaml.MappingNode():
            return {
                key: _build_entry(key_node, value, (*path, key), file, lines, problems)
                for key, key_node, value in _entries(node, file, problems)
            }
        case yaml.SequenceNode():
            return [_build(item, (*path, n), file, lines, problems) for n, item in enumerate(node.value)]
        case _:
            return _scalar(node, file, problems)


def _build_entry(
    key: yaml.Node, value: yaml.Node, path: Path, file: str, lines: dict[Path, int], problems: list[Problem]
) -> Any:
    built = _build(value, path, file, lines, problems)
    lines[path] = key.start_mark.line + 1  # a person looks for the key, not for where its value begins
    return built


def _entries(node: yaml.MappingNode, file: str, problems: list[Problem]) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    seen: dict[str, int] = {}
    for key_node, value in node.value:
        line = key_node.start_mark.line + 1
        key = key_node.value
        if not isinstance(key_node, yaml.ScalarNode):
            hint = "text that begins with a brace goes into quotes, and {{ }} into a template"
            problems.append(Problem(Place(file, line), "a list or mapping as a key, expected text", hint=hint))
        elif key == "<<" and not key_node.style:
            hint = "what repeats belongs in a template (osform: template:)"
            problems.append(Problem(Place(file, line), "a YAML merge key, expected plain keys", hint=hint))
        elif _lone(key):
            problems.append(Problem(Place(file, line), f"half a character in the key {key!r}, expected whole ones"))
        elif key in seen:
            problems.append(
                Problem(
                    Place(file, line), f"the key {key!r} is there twice, first on line {seen[key]}", hint="remove one"
                )
            )
        else:
            seen[key] = line
            yield _joined(key), key_node, value


def _scalar(node: yaml.Node, file: str, problems: list[Problem]) -> Any:
    text = node.value
    place = Place(file, node.start_mark.line + 1)
    match node.tag.rpartition(":")[2]:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            digits = len(text) if len(text) > 40 else 0  # Python refuses to turn thousands of them into a number
            number = 2**64 if digits else int(text, 16) if text.startswith("0x") else int(text)
            if not -(2**63) <= number < 2**64:
                problems.append(Problem(place, "a whole number beyond 64 bits", hint="text goes into quotes"))
            return number
        case "float":
            real = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
            if not math.isfinite(real):
                problems.append(Problem(place, f"{text}, expected a finite number", hint="text goes into quotes"))
            return real
        case _:
            if _lone(text):
                problems.append(Problem(place, "half a character (a lone surrogate), expected whole ones"))
            return _joined(text)


def _joined(text: str) -> str:
    """JSON writes what is beyond U+FFFF as two escapes, which PyYAML leaves as two halves."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _lone(text: str) -> bool:
    return bool(_SURROGATE.search(_SURROGATE_PAIR.sub("", text)))
