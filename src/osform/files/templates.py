"""Jinja2 over YAML: sandboxed, undefined names refused, every mistake with its template and line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import TracebackType
from typing import Any

import jinja2
import jinja2.meta
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from osform.core.document import Document
from osform.errors import Place, Problem, SpecError
from osform.files import yaml


@dataclass(frozen=True)
class Templates:
    """The folder ``templates/``."""

    folder: Path

    def render(self, name: str, values: Mapping[str, Any], given: Mapping[str, Any], use: Document) -> Document:
        """Render a template to a document.

        ``values`` are what the resource's file says, ``given`` what osform adds (``name``, ``kind``, ``var``), ``use``
        the file that uses the template. Raises SpecError for a template that is missing, wrong, or lacks a value.
        """
        asked = ("osform", "template")
        environment = self._environment()
        try:
            source = environment.loader.get_source(environment, name)[0] if environment.loader else ""
            self._refuse_unused(environment, name, source, values, use)
            text = environment.get_template(name).render({**given, **values})
        except jinja2.TemplateNotFound as error:
            raise SpecError([use.problem(asked, f"no template {str(error)!r}", self._nearest(str(error)))]) from error
        except jinja2.TemplateSyntaxError as error:
            place = Place(str(self.folder / (error.name or name)), error.lineno)
            raise SpecError([Problem(place, f"not a Jinja2 template: {error.message}")]) from error
        except (jinja2.UndefinedError, SecurityError, TypeError, ValueError, ArithmeticError, OverflowError) as error:
            place = Place(str(self.folder / name), self._line(error.__traceback__, name))
            hint = f"values come from osform.values in {use.place(('osform', 'values'))}"
            raise SpecError([Problem(place, f"can't be rendered: {error}", hint=hint)]) from error
        return yaml.parse(text, f"{self.folder / name} (for {use.file})")

    def _environment(self) -> jinja2.Environment:
        return ImmutableSandboxedEnvironment(
            loader=jinja2.FileSystemLoader(self.folder),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,  # the result is YAML, which HTML's escapes would damage
        )

    def _refuse_unused(
        self, environment: jinja2.Environment, name: str, source: str, values: Mapping[str, Any], use: Document
    ) -> None:
        # A value that the template never reads is a typing error, and would silently do nothing. Where a template
        # includes others, what they read can't be told from it alone.
        tree = environment.parse(source, name)
        if any(jinja2.meta.find_referenced_templates(tree)):
            return
        read = jinja2.meta.find_undeclared_variables(tree)
        problems = []
        for key in values:
            if key not in read:
                near = get_close_matches(key, read, n=1)
                hint = f"did you mean {near[0]}?" if near else f"it reads: {', '.join(sorted(read)) or 'nothing'}"
                problems.append(use.problem(("osform", "values", key), f"{name} does not read {key!r}", hint))
        if problems:
            raise SpecError(problems)

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
