"""Jinja2 over YAML: sandboxed, undefined names refused, every mistake with its template and line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from types import TracebackType
from typing import Any

import jinja2
import jinja2.meta
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

from osform.core.document import Document
from osform.errors import Place, Problem, SpecError
from osform.files import yaml
from osform.files.sandbox import Sandbox
from osform.kinds.checks import nearest

# What a template's author can bring about while it is rendered, besides Jinja2's own errors.
_AUTHORS = (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)
_SYNTAX = "each {{ and {% is closed again, and each block has its end"
_MARK = re.compile("\ue000([0-9]+)\ue001")  # private characters, which no template has


class _Lines(Extension):
    """Marks where each piece of a template's text begins, so that a rendered line can be traced to the template's."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        ours = stream.name == self.environment.globals["main template"]
        for token in stream:
            if token.type == "data" and ours:
                pieces = enumerate(token.value.split("\n"), start=token.lineno)
                token = Token(token.lineno, "data", "\n".join(f"\ue000{n}\ue001{text}" for n, text in pieces))
            elif token.type == "variable_begin" and ours:
                yield Token(token.lineno, "data", f"\ue000{token.lineno}\ue001")
            yield token


@dataclass(frozen=True)
class Templates:
    """The folder ``templates/``."""

    folder: Path

    def render(self, name: str, values: Mapping[str, Any], given: Mapping[str, Any], use: Document) -> Document:
        """Render a template to a document, whose lines are those of the template.

        ``values`` are what the resource's file says, ``given`` what osform adds (``name``, ``kind``, ``var``), ``use``
        the file that uses the template. Raises SpecError for a template that is missing, wrong, or lacks a value.
        """
        environment = self._environment()
        source = self._source(environment, name, use)
        problems: list[Problem] = []
        try:
            problems += self._unread(environment, name, source, values, use)
            text, missing = self._rendered(environment.get_template(name), {**given, **values})
        except jinja2.TemplateSyntaxError as error:
            template = error.name if error.name and (self.folder / error.name).exists() else name
            place = Place(str(self.folder / template), error.lineno)
            hint = "" if (error.message or "").startswith("No ") else _SYNTAX
            raise SpecError([Problem(place, f"not a Jinja2 template: {error.message}", hint=hint)]) from error
        except (jinja2.TemplateError, *_AUTHORS) as error:
            raise SpecError([*problems, self._failure(error, name, given, use)]) from error
        problems += [self._missing(name, word, line, use) for word, line in missing]
        if problems:
            raise SpecError(problems)
        return self._document(name, text, {**given, **values}, use)

    def _environment(self, extensions: tuple[type[Extension], ...] = ()) -> jinja2.Environment:
        return Sandbox(
            self.folder,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,  # the result is YAML, which HTML's escapes would damage
            extensions=extensions,
        )

    def _source(self, environment: jinja2.Environment, name: str, use: Document) -> str:
        asked = ("osform", "template")
        assert environment.loader is not None
        try:
            return environment.loader.get_source(environment, name)[0]
        except jinja2.TemplateNotFound as error:
            raise SpecError([use.problem(asked, f"no template {name!r}", self._nearest(name))]) from error
        except OSError as error:
            raise SpecError([Problem(Place(str(self.folder / name)), f"can't be read: {error.strerror}")]) from error
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            message = "not UTF-8 text, expected a Jinja2 template"
            raise SpecError([Problem(Place(str(self.folder / name), line), message)]) from error
        except ValueError as error:  # a NUL in the name
            raise SpecError([use.problem(asked, f"no template {name!r}: {error}")]) from error

    def _unread(
        self, environment: jinja2.Environment, name: str, source: str, values: Mapping[str, Any], use: Document
    ) -> Iterator[Problem]:
        # A value that the template never reads is a typing error, and would silently do nothing. Where a template
        # includes others, what they read can't be told from it alone.
        tree = environment.parse(source, name, str(self.folder / name))
        if list(jinja2.meta.find_referenced_templates(tree)):
            return
        read = jinja2.meta.find_undeclared_variables(tree)
        for key in values:
            if key not in read:
                near = get_close_matches(key, read - values.keys(), n=1)
                hint = f"did you mean {near[0]}?" if near else f"it reads: {', '.join(sorted(read)) or 'nothing'}"
                yield use.problem(("osform", "values", key), f"{self.folder / name} does not read {key!r}", hint)

    def _rendered(self, template: jinja2.Template, values: dict[str, Any]) -> tuple[str, list[tuple[str, int | None]]]:
        """The text, and which names had no value on which line: each is given an empty text to find the next."""
        missing: list[tuple[str, int | None]] = []
        while True:
            try:
                return template.render(values), missing
            except jinja2.UndefinedError as error:
                word = re.fullmatch(r"'(\w+)' is undefined", error.message or "")
                if word is None or word[1] in values:
                    if missing:
                        return "", missing
                    raise
                missing.append((word[1], self._line(error.__traceback__, template.name or "")))
                values = {**values, word[1]: ""}
            except (jinja2.TemplateError, *_AUTHORS):
                if missing:  # the empty text did not fit, and is to blame
                    return "", missing
                raise

    def _missing(self, name: str, word: str, line: int | None, use: Document) -> Problem:
        message = f"no value for {word!r}, which {Place(str(self.folder / name), line)} reads"
        return use.problem(("osform", "values"), message, f"add {word}: ... under osform.values")

    def _failure(self, error: Exception, name: str, given: Mapping[str, Any], use: Document) -> Problem:
        place = Place(str(self.folder / name), self._line(error.__traceback__, name), use.file)
        if isinstance(error, jinja2.TemplateNotFound):
            return Problem(place, f"no template {error.name!r}", hint=self._nearest(str(error.name)))
        if isinstance(error, RecursionError):
            message = "the template includes or calls itself without end"
            return Problem(place, message, hint="let an {% if %} end it")
        key = re.fullmatch(r"'dict object' has no attribute '(\w+)'", str(error))
        if key:
            hint = nearest(key[1], set(given.get("var", {})))
            return Problem(place, f"no key {key[1]!r} in the mapping that is read here", hint=f"var.*: {hint}")
        return Problem(place, f"can't be rendered: {error or type(error).__name__}")

    def _document(self, name: str, text: str, values: Mapping[str, Any], use: Document) -> Document:
        file = str(self.folder / name)
        if not text.strip():
            place = Place(file, 1, use.file)
            raise SpecError([Problem(place, "renders to nothing, expected a body", hint="look at its conditions")])
        lines = self._lines_of(name, text, values)
        try:
            document = yaml.parse(text, file)
        except SpecError as error:
            raise SpecError(
                replace(each, place=Place(file, lines.get(each.place.line or 0), use.file)) for each in error.problems
            ) from error
        traced = {path: lines[line] for path, line in document.lines.items() if line in lines}
        return Document(file, document.value, traced, use.file)

    def _lines_of(self, name: str, text: str, values: Mapping[str, Any]) -> dict[int, int]:
        """The template's line for each rendered line; none where they can't be traced, since a wrong one misleads."""
        environment = self._environment((_Lines,))
        environment.globals["main template"] = name
        try:
            marked = environment.get_template(name).render(values)
        except (jinja2.TemplateError, *_AUTHORS):
            marked = ""  # the marks themselves are in the template's way, in a filter for example
        if _MARK.sub("", marked) != text:
            return {}
        lines: dict[int, int] = {}
        last = 1
        for number, line in enumerate(marked.split("\n"), start=1):
            # A line break that a value brought along leaves its next line without a mark.
            before, *marks = _MARK.split(line)
            lines[number] = last
            for mark, text in zip(marks[::2], marks[1::2], strict=True):
                last = int(mark)
                if not before.strip():
                    lines[number] = last
                before += text
        return lines

    def _nearest(self, name: str) -> str:
        there = [str(path.relative_to(self.folder)) for path in sorted(self.folder.rglob("*.j2"))]
        near = get_close_matches(name, there, n=1)
        if near:
            return f"did you mean {near[0]}?"
        return f"{self.folder} has {', '.join(there) or 'no templates'}"

    def _line(self, traceback: TracebackType | None, name: str) -> int | None:
        line = None
        while traceback:
            if traceback.tb_frame.f_code.co_filename.endswith(name):
                line = traceback.tb_lineno
            traceback = traceback.tb_next
        return line
