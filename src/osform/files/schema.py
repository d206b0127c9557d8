"""pydantic's complaints as Problems: file and line, what was found, what is expected, and the nearest known key."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from osform.core.diff import value_at
from osform.core.document import Document, Path
from osform.errors import Problem
from osform.kinds.checks import otherwise

_EXPECTED: dict[str, type] = {
    "string_type": str, "bool_type": bool, "int_type": int, "float_type": float,
    "dict_type": dict, "model_type": dict, "list_type": list,
}  # fmt: skip


def problems_of(
    document: Document, error: ValidationError, model: type[BaseModel], value: Any = None, *, secrets: bool = False
) -> list[Problem]:
    """Every mistake that ``model`` found in ``document``, placed at its line.

    ``value`` is what was validated, where that is not the document as it stands. Where that has ``secrets`` in it, what
    is shown is what the file says.
    """
    value = document.value if value is None else value
    details: list[dict[str, Any]] = [dict(each) for each in error.errors(include_url=False)]
    found = [(_path(value, each), each) for each in details]
    if secrets:
        found = [(path, {**each, "input": value_at(document.value, path)}) for path, each in found]
    paths = {path for path, _ in found}
    # Of what may be a number or a mapping, a mapping with a mistake in it is meant to be one.
    meant = [(path, detail) for path, detail in found if not any(_within(path, other) for other in paths)]
    return [_problem(document, path, detail, model) for path, detail in meant]


def _path(value: Any, detail: dict[str, Any]) -> Path:
    """Where a mistake is. pydantic also names the branch of a union that it tried, which stands in no file."""
    path: list[str | int] = []
    for part in detail["loc"]:
        there = part in value if isinstance(value, dict) else isinstance(value, list) and part in range(len(value))
        if there:
            path.append(part)
            value = value[part]
    return (*path, detail["loc"][-1]) if detail["type"] == "missing" else tuple(path)


def _within(path: Path, other: Path) -> bool:
    return len(other) > len(path) and other[: len(path)] == path


def _problem(document: Document, path: Path, detail: dict[str, Any], model: type[BaseModel]) -> Problem:
    match detail["type"]:
        case "extra_forbidden":
            known = sorted(_fields(model, detail["loc"][:-1]))
            near = get_close_matches(str(path[-1]), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
            return document.problem(path, f"unknown key {path[-1]!r}", hint)
        case "missing":
            return document.problem(path, "missing", f"add {path[-1]}: ...")
        case kind if kind in _EXPECTED:
            return document.problem(path, *otherwise(detail["input"], _EXPECTED[kind]))
        case "expected":
            return document.problem(path, f"{_shown(detail['input'])}, {detail['msg']}", "write another one")
        case "literal_error":
            message = f"{_shown(detail['input'])}, expected {detail['ctx']['expected']}"
            return document.problem(path, message, "write one of these")
        case _:
            return document.problem(path, f"{_shown(detail['input'])}: {detail['msg'].lower()}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _fields(model: type[BaseModel], path: tuple[Any, ...]) -> set[str]:
    """The keys that a mapping at ``path`` may have; places in lists, keys of mappings and branches lead no further."""
    for part in path:
        field = model.model_fields.get(part) if isinstance(part, str) else None
        model = (_model_in(field.annotation) if field else None) or model
    return set(model.model_fields) | {field.alias for field in model.model_fields.values() if field.alias}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The pydantic model inside ``list[Model]``, ``Model | None`` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
