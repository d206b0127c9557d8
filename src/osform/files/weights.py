"""What values of a template weigh: how much there is to do for whoever shows, compares or copies them."""

from __future__ import annotations

import re
from typing import Any

from jinja2.environment import TemplateModule
from jinja2.utils import Namespace

MOST_TEXT = 4_000_000
"""Letters of any text on the way; a file may have no more."""
MOST_DIGITS = 4_000
_MOST_BITS, _WORD = 13_300, 60
_ELEMENT = 15  # what an element of a list weighs beside itself
_OF_SOME: tuple[type, ...] = (list, tuple, range, set, frozenset, type({}.keys()), type({}.values()), type({}.items()))
_NEVER = re.compile(r"\d{5}|%[^a-zA-Z%]*\*|\{[^{}]*\{")
# Of digits in any script, as Python's own formats take them.
_DIGITS = re.compile(r"\d+")


class TooMuch(ValueError):
    """More work than the text of a resource can be worth."""


def weight(value: Any, most: int) -> int:
    """Letters and elements, what is there twice counted twice; no more than ``most`` are counted, and a few.

    Raises TooMuch for a text or a number that is too long by itself.
    """
    total, waiting = 0, [value]
    while waiting and total <= most:
        each = waiting.pop()
        kind = type(each)
        if kind is int or isinstance(each, int):
            if (bits := each.bit_length()) > _WORD:
                total += _number(bits)
        elif isinstance(each, str):
            total += len(each)
            if len(each) > MOST_TEXT:
                raise TooMuch(f"a text of more than {MOST_TEXT:,} letters")
        elif (inner := _inside(each, kind)) is not None:
            total += _ELEMENT * (1 + len(inner))
            if total <= most and kind is not range:
                waiting.extend(inner)
    return total


def _number(bits: int) -> int:
    if bits > _MOST_BITS:
        raise TooMuch("a number of thousands of digits")
    return bits >> 3


def _inside(value: Any, kind: type) -> Any:
    """What is in a value, of known length; None for what has no inside."""
    if kind is Namespace:  # isinstance would ask the namespace, in Python
        return value._Namespace__attrs.values()  # it shows them
    if kind is TemplateModule:
        return value._body_stream
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, _OF_SOME) else None


def digits(number: Any) -> int:
    """About how many digits a whole number has; 0 for what is none."""
    return number.bit_length() * 3 // 10 + 1 if isinstance(number, int) else 0


def measured(pattern: str, *values: Any) -> None:
    """Nothing, unless a format makes a long text: by widths of five digits, by widths from values, or often."""
    if _NEVER.search(pattern):
        raise TooMuch("a width of ten thousands, or one that only a value says")
    widest = 10 ** max(map(len, _DIGITS.findall(pattern)), default=0)
    fields = pattern.count("{") + pattern.count("%")
    if fields * (widest + weight(values, MOST_TEXT)) > MOST_TEXT:
        raise TooMuch("a format that makes millions of letters")
