"""Filters as users write them: ``place=home``, ``width>=1000``. What they mean to a server is not known here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from osform.errors import InputError

Sign = Literal["=", "!=", ">=", "<=", ">", "<"]
SIGNS: tuple[Sign, ...] = get_args(Sign)
_PARTS = re.compile(r"\s*([^<>=!]+?)\s*(!=|>=|<=|=|>|<)\s*(.*?)\s*", re.DOTALL)


@dataclass(frozen=True)
class Filter:
    """One condition on one field of a document; several of one field with ``=`` let any of their values through."""

    field: str
    sign: Sign
    value: str

    @classmethod
    def parse(cls, text: str) -> Filter:
        """Read one as it is written. Raises InputError."""
        match = _PARTS.fullmatch(text)
        if match is None or not match[3]:
            raise InputError(f"{text!r} is no filter", hint=f"FIELD, one of {' '.join(SIGNS)}, and a value: place=home")
        sign = next(each for each in SIGNS if each == match[2])
        return cls(match[1], sign, match[3])

    def __str__(self) -> str:
        return f"{self.field}{self.sign}{self.value}"
