"""pydantic's complaints as Problems: file and line, what was found, what is expected, and the nearest known key."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from osform.core.document import Document
from osform.errors import Problem
from osform.kinds.checks import otherwise

_EXPECTED: dict[str, type] = {
    "string_type": str, "bool_type": bool, "int_type": int, "float_type": float,
    "dict_type": dict, "model_type": dict, "list_type": list,
}  # fmt: skip


def problems_of(document: Document, error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Every mistake that ``model`` found in ``document``, placed at its line."""
    return [_problem(document, dict(detail), model) for detail in error.errors(include_url=False)]


def _problem(document: Document, detail: dict[str, Any], model: type[BaseModel]) -> Problem:
    path = tuple(part for part in detail["loc"] if part != "[key]")
    match detail["type"]:
        case "extra_forbidden":
            known = sorted(_fields(model, path[:-1]))
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
    """The keys that a mapping at ``path`` may have."""
    for part in path:
        if isinstance(part, int):
            continue
        inner = _model_in(model.model_fields[part].annotation)
        if inner is None:
            return set()
        model = inner
    return set(model.model_fields) | {field.alias for field in model.model_fields.values() if field.alias}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The pydantic model inside ``list[Model]``, ``Model | None`` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
