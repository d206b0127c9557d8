"""Jinja2 for templates that nobody has read: Python, and the time and memory of the machine, are out of their reach.

Jinja2's sandbox keeps attributes and modules away. What it lets through is work without end: loops in loops, texts that
double, numbers with a billion digits. Here every step of a loop and every call counts, and no text gets long.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

MOST_STEPS = 200_000
"""Steps of loops and calls, in one rendering."""
MOST_TEXT = 4_000_000
"""Letters of any text on the way; a file may have no more."""
MOST_DIGITS = 4_000
_LONG_TEXTS = frozenset({"center", "ljust", "rjust", "zfill", "expandtabs", "replace", "join", "translate"})
"""Methods of texts whose answer may be of any size; Jinja2 has filters for most of them."""


class TooMuch(ValueError):
    """More work than the text of a resource can be worth."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Of one rendering: it counts."""

    intercepted_binops = frozenset({"+", "*", "**", "%", "<<"})

    def __init__(self, folder: Path, **more: Any) -> None:
        super().__init__(loader=Loader(folder), **more)
        self._steps = 0
        self.filters |= {"osform_steps": self._counted, "osform_joined": self._joined, "join": self._join}
        self.filters |= {"center": _center, "indent": self._sized(self.filters["indent"], "width", 4)}
        self.filters |= {"replace": _replace, "format": _format}
        self.concat = self._joined  # type: ignore[method-assign]  # what macros, blocks and the whole template put together

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """Every loop's source and every ``~`` go through a filter of ours."""
        tree = super()._parse(source, name, filename)
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = nodes.Filter(loop.iter, "osform_steps", [], [], None, None, lineno=loop.lineno)
        _rejoin(tree)
        return tree

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as Jinja2 has it
        """A call in a template, counted."""
        __self._step()
        method = getattr(__obj, "__wrapped__", __obj)
        if isinstance(getattr(method, "__self__", None), str) and method.__name__ in ("format", "format_map"):
            _measured(method.__self__)
        return super().call(__context, __obj, *args, **kwargs)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Jinja2's rules, and no methods that make long texts."""
        return not (isinstance(obj, str) and attr in _LONG_TEXTS) and super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """An operation whose result may be of any size, made only where it is not."""
        if operator == "%" and isinstance(left, str):
            _measured(left)
        if operator == "**" and _digits(left) * max(1, abs(right) if isinstance(right, int) else 1) > MOST_DIGITS:
            raise TooMuch("a number of thousands of digits")
        if operator == "*":
            for one, other in ((left, right), (right, left)):
                if isinstance(one, str | list | tuple) and isinstance(other, int) and len(one) * other > MOST_TEXT:
                    raise TooMuch("a text or list of millions")
        if operator == "+" and isinstance(left, str | list | tuple) and len(left) + len(right) > MOST_TEXT:
            raise TooMuch("a text or list of millions")
        return super().call_binop(context, operator, left, right)

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise TooMuch(f"more than {MOST_STEPS:,} steps")

    def _counted(self, values: Iterable[Any]) -> Any:
        """The values of a loop; a list stays one, since loops may ask for its length."""
        if isinstance(values, jinja2.Undefined):
            return values
        return self._one_by_one(values) if not isinstance(values, list | tuple | dict | str) else self._list(values)

    def _list(self, values: Any) -> Any:
        self._steps += len(values)
        self._step()
        return values

    def _one_by_one(self, values: Iterable[Any]) -> Iterator[Any]:
        for value in values:
            self._step()
            yield value

    def _joined(self, pieces: Iterable[Any]) -> str:
        made, size = [], 0
        for piece in pieces:
            made.append(str(piece))
            size += len(made[-1])
            if size > MOST_TEXT:
                raise TooMuch(f"a text of more than {MOST_TEXT:,} letters")
        return "".join(made)

    def _join(self, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
        pieces: list[Any] = []
        for item in value:
            pieces += [*([d] if pieces else []), item if attribute is None else self.getitem(item, attribute)]
        return self._joined(pieces)

    def _sized(self, made: Callable[..., str], name: str, default: int) -> Callable[..., str]:
        def bounded(text: Any, width: Any = default, *args: Any, **kwargs: Any) -> str:
            size = len(width) if isinstance(width, str) else int(width)
            if size * (str(text).count("\n") + 1) > MOST_TEXT:
                raise TooMuch(f"a {name} that makes millions of letters")
            return made(text, width, *args, **kwargs)

        return bounded


class Loader(jinja2.FileSystemLoader):
    """Templates of one folder of a project: a link that leads out of it leads nowhere."""

    def get_source(self, environment: jinja2.Environment, template: str) -> Any:
        """As FileSystemLoader. Raises TemplateNotFound for a file outside the folder."""
        folder = Path(self.searchpath[0]).resolve()
        project = Path(self.searchpath[0]).parent.resolve()
        if not folder.is_relative_to(project) or not (folder / template).resolve().is_relative_to(folder):
            raise jinja2.TemplateNotFound(template)
        return super().get_source(environment, template)


def _rejoin(node: nodes.Node) -> None:
    """``a ~ b`` becomes a filter of ours on both: Jinja2 joins them with a function that can't be chosen."""
    for field, value in list(node.iter_fields()):
        for number, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, nodes.Node):
                continue
            _rejoin(child)
            if isinstance(child, nodes.Concat):
                pieces = nodes.List(child.nodes, lineno=child.lineno)
                joined = nodes.Filter(pieces, "osform_joined", [], [], None, None, lineno=child.lineno)
                if isinstance(value, list):
                    value[number] = joined
                else:
                    setattr(node, field, joined)


def _digits(number: Any) -> int:
    return len(str(abs(number))) if isinstance(number, int) and abs(number) < 10**MOST_DIGITS else 1


def _measured(pattern: str) -> None:
    """Nothing, unless a pattern asks for widths of five digits, or for such as are only known later."""
    if re.search(r"[0-9]{5}|%[^a-zA-Z%]*\*|\{[^{}]*\{", pattern):
        raise TooMuch("a width of ten thousands, or one that only a value says")


def _format(value: Any, *args: Any, **kwargs: Any) -> str:
    _measured(str(value))
    return str(value) % (kwargs or args)


def _center(value: Any, width: int = 80) -> str:
    if width > MOST_TEXT:
        raise TooMuch("a text of millions of letters")
    return str(value).center(width)


def _replace(value: Any, old: str, new: str, count: int | None = None) -> str:
    text, most = str(value), -1 if count is None else count
    times = text.count(str(old)) if most < 0 else min(most, text.count(str(old)))
    if len(text) + times * len(str(new)) > MOST_TEXT:
        raise TooMuch("a text of millions of letters")
    return text.replace(str(old), str(new), most)
