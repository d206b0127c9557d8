"""Jinja2 for templates that nobody has read: Python, and the time and memory of the machine, are out of their reach.

Jinja2's sandbox keeps attributes and modules away. What it lets through is work without end: loops in loops, texts and
lists that double, numbers with a billion digits. Here every step of a loop and every call counts, whatever goes into a
call, a filter or a comparison and comes out of it is weighed, and what makes much of little is looked at before.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.filters import make_attrgetter
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from osform.files.weights import MOST_DIGITS, MOST_TEXT, TooMuch, digits, measured, weight

MOST_STEPS = 200_000
"""Steps of loops and calls, in one rendering."""
MOST_SOURCE = 1_000_000
"""Bytes of a template."""
MOST_CODE = 50_000
"""Letters of it between braces: to compile them takes a thousand times as long as to read them."""
MOST_WORK = 50_000_000
"""What all values of one rendering may weigh, each counted as often as something is done with it."""
_CALL = 4  # steps of a loop that take as long as a call
_WHOLE = (str, list, tuple, dict)
_STEP = 50  # what an element that a filter makes weighs beside itself: a call
_FILTER = 4  # how much more a filter has to do with an element than a comparison
_BRACES = re.compile(r"\{[{%#]|[}%#]\}")
_MOST_PIECES = 1_000_000  # letters of a text that is taken apart
_MOST_PRECISION = 300
_LONG_TEXTS = frozenset({"center", "ljust", "rjust", "zfill", "expandtabs", "replace", "join", "translate", "encode"})
"""Methods of texts whose answer may be of any size; Jinja2 has filters for most of them."""
_LEFT_OUT = frozenset({"pprint", "striptags", "urlize", "wordwrap", "xmlattr"})
"""Filters for pages and people, whose work nothing bounds."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Of one rendering: it counts."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, folder: Path, **more: Any) -> None:
        self.filters: _Bounded
        super().__init__(loader=Loader(folder), finalize=self._weighed, **more)
        self._steps = self._work = 0
        del self.globals["lipsum"]
        own: dict[str, Any] = {"center": _center, "format": _format, "join": self._join, "sum": self._sum}
        own["replace"] = _replace
        for name, look in _LOOKS.items():
            own[name] = _after(look, self.filters[name])
        kept: dict[str, Any] = {name: each for name, each in self.filters.items() if name not in _LEFT_OUT} | own
        self.filters = _Bounded(kept, self._bounded)
        self.filters.made |= {"osform_steps": self._counted, "osform_joined": self._joined}
        self.filters.made |= {"osform_weighed": self._weighed, "osform_sought": self._sought}
        self.tests = _Bounded(self.tests, self._bounded)
        self.concat = self._joined  # type: ignore[method-assign]  # what macros, blocks and the whole template put together

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """Every loop's source, every ``~``, and what no call makes or takes go through a filter of ours."""
        if _code(source) > MOST_CODE:
            raise TooMuch(f"more than {MOST_CODE:,} letters between braces")
        tree = super()._parse(source, name, filename)
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = _through("osform_steps", loop.iter)
        _rewrite(tree)
        return tree

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as Jinja2 has it
        """A call in a template, counted."""
        __self._step(_CALL)
        method = getattr(__obj, "__wrapped__", __obj)
        owner = getattr(method, "__self__", None)
        if isinstance(owner, str) and method.__name__ in ("format", "format_map"):
            measured(owner, args, kwargs)
        if isinstance(__obj, LoopContext):  # a loop that calls itself
            args = tuple(map(__self._counted, args))
        whole = owner if isinstance(owner, _WHOLE) else None
        if args or kwargs or whole is not None:
            __self._charge((args, kwargs, whole))
        return __self._weighed(super().call(__context, __obj, *args, **kwargs))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Jinja2's rules, and no methods that make long texts."""
        long = (isinstance(obj, str) and attr in _LONG_TEXTS) or (isinstance(obj, int) and attr == "to_bytes")
        return not long and super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """An operation whose result may be of any size, made only where it is not."""
        self._charge((left, right))
        if operator == "%" and isinstance(left, str):
            measured(left, right)
        if operator == "**" and digits(left) * max(1, abs(right) if isinstance(right, int) else 1) > MOST_DIGITS:
            raise TooMuch("a number of thousands of digits")
        if operator == "*":
            if digits(left) + digits(right) > MOST_DIGITS:
                raise TooMuch("a number of thousands of digits")
            for one, other in ((left, right), (right, left)):
                if isinstance(one, str | list | tuple) and isinstance(other, int) and len(one) * other > MOST_TEXT:
                    raise TooMuch("a text or list of millions")
        if operator == "+" and isinstance(left, str | list | tuple) and len(left) + len(right) > MOST_TEXT:
            raise TooMuch("a text or list of millions")
        return self._weighed(super().call_binop(context, operator, left, right))

    def _step(self, count: int = 1) -> None:
        self._steps += count
        if self._steps > MOST_STEPS:
            raise TooMuch(f"more than {MOST_STEPS:,} steps")

    def _charge(self, value: Any, more: int = 0, times: int = 1) -> None:
        """Count what a value weighs. Raises TooMuch."""
        short = type(value) is str and len(value) < MOST_TEXT  # most values are
        self._work += more + times * (len(value) if short else weight(value, (MOST_WORK - self._work) // times))
        if self._work > MOST_WORK:
            raise TooMuch(f"work on more than {MOST_WORK:,} letters")

    def _weighed(self, value: Any) -> Any:
        """The value, counted; one that is made element by element is counted as it is."""
        if type(value) is not str and isinstance(value, Iterator) and not isinstance(value, LoopContext):
            return self._charged(value)
        self._charge(value)
        return value

    def _charged(self, values: Iterator[Any]) -> Iterator[Any]:
        for value in values:
            self._charge(value, _STEP)
            yield value

    def _bounded(self, made: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(made)
        def bounded(*args: Any, **kwargs: Any) -> Any:
            self._charge((args, kwargs), times=_FILTER)
            return self._weighed(made(*args, **kwargs))

        return bounded

    def _sought(self, values: Any) -> Any:
        """What something is looked for in; a mapping's keys are found without looking at each."""
        return values if isinstance(values, dict) else self._weighed(values)

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
            if not isinstance(piece, str):
                self._charge(piece)
            made.append(str(piece))
            size += len(made[-1])
            if size > MOST_TEXT:
                raise TooMuch(f"a text of more than {MOST_TEXT:,} letters")
        self._charge(None, size)
        return "".join(made)

    def _join(self, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
        pieces: list[Any] = []
        for item in self._parts(value, attribute):
            pieces += [*([d] if pieces else []), item]
        return self._joined(pieces)

    def _sum(self, value: Iterable[Any], attribute: str | int | None = None, start: Any = 0) -> Any:
        for item in self._parts(value, attribute):
            start = start + item
            self._charge(start)
        return start

    def _parts(self, values: Iterable[Any], attribute: str | int | None) -> Iterable[Any]:
        return values if attribute is None else map(make_attrgetter(self, attribute), values)


class _Bounded(dict[str, Any]):
    """Filters or tests, each bounded when it is first asked for: a template uses few of them."""

    def __init__(self, given: Mapping[str, Any], bounded: Callable[[Any], Any]) -> None:
        super().__init__(given)
        self.made: dict[str, Any] = {}
        self._bounded = bounded

    def __getitem__(self, name: str) -> Any:
        if name not in self.made:
            self.made[name] = self._bounded(super().__getitem__(name))
        return self.made[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self or name in self.made else default


class Loader(jinja2.FileSystemLoader):
    """Templates of one folder of a project: a link that leads out of it leads nowhere."""

    def get_source(self, environment: jinja2.Environment, template: str) -> Any:
        """As FileSystemLoader. Raises TemplateNotFound for a file outside the folder."""
        folder = Path(self.searchpath[0]).resolve()
        project = Path(self.searchpath[0]).parent.resolve()
        if not folder.is_relative_to(project) or not (folder / template).resolve().is_relative_to(folder):
            raise jinja2.TemplateNotFound(template)
        if (folder / template).is_file() and (folder / template).stat().st_size > MOST_SOURCE:
            raise OSError(errno.EFBIG, f"more than {MOST_SOURCE:,} bytes, expected a template")
        return super().get_source(environment, template)


def _code(source: str) -> int:
    """How many letters stand between braces; where those are not closed, all that follow."""
    total, begun = 0, None
    for found in _BRACES.finditer(source):
        if begun is None and found[0][0] == "{":
            begun = found.start()
        elif begun is not None and found[0][-1] == "}":
            total, begun = total + found.end() - begun, None
    return total if begun is None else total + len(source) - begun


def _through(name: str, node: Any) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _rewrite(node: nodes.Node) -> None:
    """What Jinja2 does by itself, without a call or an operation that can be intercepted, goes through our filters."""
    for field, value in list(node.iter_fields()):
        for number, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, nodes.Node):
                continue
            _rewrite(child)
            if (other := _rewritten(child)) is child:
                continue
            if isinstance(value, list):
                value[number] = other
            else:
                setattr(node, field, other)


def _rewritten(node: nodes.Node) -> nodes.Node:
    match node:
        case nodes.Concat():
            return _through("osform_joined", nodes.List(node.nodes, lineno=node.lineno))
        case nodes.Operand(op="in" | "notin"):
            node.expr = _through("osform_sought", node.expr)
        case nodes.Compare() | nodes.Operand():
            node.expr = _through("osform_weighed", node.expr)
        case nodes.Getitem(arg=nodes.Slice()):
            node.node = _through("osform_weighed", node.node)
        case nodes.List() | nodes.Dict() | nodes.Tuple(ctx="load"):
            return _through("osform_weighed", node)
    return node


def _format(value: Any, *args: Any, **kwargs: Any) -> str:
    measured(str(value), args, kwargs)
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


def _after(look: Callable[..., None], made: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that looks at what it is to do first."""

    skipped = 1 if hasattr(made, "jinja_pass_arg") else 0  # Jinja2's own, in front of the value

    @wraps(made)
    def looked(*args: Any, **kwargs: Any) -> Any:
        look(*args[skipped:], **kwargs)
        return made(*args, **kwargs)

    return looked


def _look_at_indent(text: Any, width: Any = 4, *_: Any, **__: Any) -> None:
    size = len(width) if isinstance(width, str) else int(width)
    if size * (str(text).count("\n") + 1) > MOST_TEXT:
        raise TooMuch("an indent that makes millions of letters")


def _look_at_number(_: Any, number: Any = 1, *__: Any, **more: Any) -> None:
    asked = more.get("linecount", more.get("slices", number))
    if isinstance(asked, int) and asked > MOST_STEPS:
        raise TooMuch(f"more than {MOST_STEPS:,} pieces")


def _look_at_precision(_: Any, precision: Any = 0, *__: Any, **___: Any) -> None:
    if isinstance(precision, int) and abs(precision) > _MOST_PRECISION:
        raise TooMuch("a number of thousands of digits")


def _look_at_text(value: Any, *_: Any, **__: Any) -> None:
    if isinstance(value, str) and len(value) > _MOST_PIECES:
        raise TooMuch(f"a text of more than {_MOST_PIECES:,} letters, taken apart")


_LOOKS: dict[str, Callable[..., None]] = {
    "batch": _look_at_number, "slice": _look_at_number, "indent": _look_at_indent, "list": _look_at_text,
    "round": _look_at_precision, "title": _look_at_text, "wordcount": _look_at_text,
}  # fmt: skip
