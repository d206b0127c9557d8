"""Mappings: what is the same, what can be changed in place, and which fields documents brought along."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from osform.core.comparing import merged
from osform.core.diff import ABSENT, Difference, value_at
from osform.core.document import Path, dotted
from osform.core.globs import overlap
from osform.kinds import checks
from osform.kinds.base import Finding, Last
from osform.kinds.unasked import put_back

_KEYS = frozenset({
    "properties", "dynamic", "dynamic_templates", "_meta", "_source", "_routing", "_field_names", "date_detection",
    "dynamic_date_formats", "numeric_detection", "runtime", "derived",
})  # fmt: skip
# Parameters that the server changes in place and that change no answer about documents that are there already.
_CHANGEABLE = frozenset({"search_analyzer", "search_quote_analyzer", "meta"})
# The same at a mapping's top, with what stands for none: a key that isn't sent stays as it is.
_TOP_DEFAULTS: Mapping[str, Any] = {
    "_meta": {}, "dynamic": "true", "dynamic_templates": [], "date_detection": True, "numeric_detection": False,
}  # fmt: skip

_OF_OBJECTS = (("dynamic",), ("enabled",))

MARK = ("_meta", "osform", "vectors")
"""Where a mapping says which model made the vectors of which field."""


def check(mapping: Mapping[str, Any]) -> Iterator[Finding]:
    """Unknown keys at the top, fields without a type, vectors without a dimension."""
    for key in mapping:
        if key not in _KEYS:
            yield Finding(("mappings", key), "unknown key in a mapping", checks.nearest(key, _KEYS))
    yield from _check_fields(mapping.get("properties", {}), ("mappings", "properties"))


def _check_fields(fields: Any, path: Path) -> Iterator[Finding]:
    if not isinstance(fields, dict):
        yield Finding(path, f"{checks.described(fields)}, expected a mapping of fields", "write NAME: {type: ...}")
        return
    for name, field in fields.items():
        here = (*path, name)
        if not isinstance(field, dict):
            yield Finding(
                here, f"{checks.described(field)}, expected a mapping with a type", f"write {name}: {{type: ...}}"
            )
            continue
        if "type" not in field and "properties" not in field:
            yield Finding(here, "neither a type nor properties", "add type: ...")
        if field.get("type") == "knn_vector" and not {"dimension", "model_id"} & field.keys():
            yield Finding(here, "a knn_vector without a dimension", "write dimension: ${model/NAME.dimension}")
        yield from checks.typed(field, {"dimension": int, "method": dict, "fields": dict, "properties": dict}, here)
        for inner in ("properties", "fields"):
            if isinstance(field.get(inner), dict):
                yield from _check_fields(field[inner], (*here, inner))


def vectors(mapping: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The vector fields with their paths below the mapping."""
    yield from _vectors(mapping.get("properties", {}), ("properties",))


def vectors_of(body: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The vector fields of an index, or of those that a template is for, with their paths in the body."""
    template = body.get("template")
    inner, before = (template, ("template",)) if isinstance(template, Mapping) else (body, ())
    mapping = inner.get("mappings")
    for path, field in vectors(mapping) if isinstance(mapping, Mapping) else ():
        yield (*before, "mappings", *path), field


def _vectors(fields: Any, path: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for name, field in fields.items() if isinstance(fields, dict) else ():
        if isinstance(field, dict):
            if field.get("type") == "knn_vector":
                yield (*path, name), field
            yield from _vectors(field.get("properties", {}), (*path, name, "properties"))


def kept(mapping: Mapping[str, Any], name: str) -> bool:
    """Whether the ``_source`` of documents has what they hold in a field; a pattern means what is inside as well."""
    source = mapping.get("_source") or {}
    includes, excludes = _listed(source.get("includes")), _listed(source.get("excludes"))
    enabled = str(source.get("enabled", True)).lower() != "false"
    return enabled and (not includes or _among(includes, name)) and not _among(excludes, name)


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _among(patterns: Sequence[str], name: str) -> bool:
    return any(overlap(pattern, name) or overlap(f"{pattern}.*", name) for pattern in patterns)


def lost(mapping: Mapping[str, Any], made: Mapping[str, str]) -> list[str]:
    """The fields that a copy of documents would lack: not in their ``_source``, nor made anew.

    ``made`` says of the fields that the copy's pipeline fills from which others, with commas between them, it does so.
    """
    # An alias is another name, and in no document.
    leaves = (name for name, field in fields_of(mapping) if "properties" not in field and field.get("type") != "alias")
    texts = (text for source in made.values() for text in source.split(","))
    absent = [name for name in dict.fromkeys((*leaves, *texts)) if not kept(mapping, name)]
    return [name for name in absent if not {name, name.rpartition(".")[0]} & made.keys()]


def fields_of(mapping: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The fields of a mapping by their dotted names."""
    for name, body in mapping.get("properties", {}).items():
        yield prefix + name, body
        yield from fields_of(body, f"{prefix}{name}.")


def engine(field: Mapping[str, Any]) -> str:
    """The engine of a vector field; the server takes faiss where none is named."""
    method = field.get("method")
    named = method.get("engine") if isinstance(method, dict) else None
    return str(named or field.get("engine") or "none named, which is faiss")


def field_path(name: str) -> Path:
    """Where a field named as in queries, ``image.vector``, stands below the mapping."""
    return tuple(part for word in name.split(".") for part in ("properties", word))


def type_at(mapping: Mapping[str, Any], path: Path) -> Any:
    """The type of the field at a path below the mapping; None where none is said, or no field is there."""
    field = value_at(mapping, path)
    return field.get("type") if isinstance(field, Mapping) else None


def unfolded(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Each field ``a.b`` as ``b`` inside ``a``, as the server has it; where objects are disabled, it stays."""
    fields = mapping.get("properties")
    if not isinstance(fields, Mapping):
        return dict(mapping)
    literal = str(mapping.get("disable_objects")).lower() == "true"
    found: dict[str, Any] = {}
    for name, field in fields.items():
        outer, _, inner = name.partition(".")
        key, value = (outer, {"properties": {inner: field}}) if outer and inner and not literal else (name, field)
        there = found.get(key)
        found[key] = merged(there, value) if isinstance(there, Mapping) and isinstance(value, Mapping) else value
    inside = {key: unfolded(value) if isinstance(value, Mapping) else value for key, value in found.items()}
    return {**mapping, "properties": inside}


def normal(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping as the server gives it back: ``dynamic`` as text, no ``type: object`` beside properties."""
    result = dict(mapping)
    if "dynamic" in result:
        dynamic = result["dynamic"]
        result["dynamic"] = str(dynamic).lower() if isinstance(dynamic, str | bool) else dynamic
    if result.get("type") == "object" and "properties" in result:
        del result["type"]
    for inner in ("properties", "fields"):
        if isinstance(result.get(inner), dict):
            result[inner] = {
                name: normal(field) if isinstance(field, dict) else field for name, field in result[inner].items()
            }
    return result


def without_dynamic_fields(
    live: Mapping[str, Any], recorded: Mapping[str, Any], *, closed: bool = False
) -> dict[str, Any]:
    """The live mapping less the fields that documents added; where it is ``closed``, somebody added them.

    The server says of an object either its fields or, for as long as it has none, its type.
    """
    closed = recorded["dynamic"] in ("strict", "false") if "dynamic" in recorded else closed
    known = recorded.get("properties", {})
    kept = {name: field for name, field in live.get("properties", {}).items() if closed or name in known}
    for name, field in kept.items():
        if name in known and isinstance(field, dict) and "properties" in field:
            kept[name] = without_dynamic_fields(field, known[name], closed=closed)
    rest = {key: value for key, value in live.items() if key != "properties"}
    if "properties" in live and recorded.get("type") == "object":
        rest["type"] = "object"
    return rest | ({"properties": kept} if kept or "properties" in recorded else {})


def with_fields_of(asked: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping that is asked, and the fields that documents brought along or that are no longer asked.

    Documents that are copied have them still, and a new mapping might guess another type for them.
    """
    fields = dict(asked.get("properties", {}))
    for name, field in live.get("properties", {}).items():
        if name not in fields:
            fields[name] = field
        elif "properties" in field and fields[name].get("type", "object") in ("object", "nested"):
            fields[name] = with_fields_of(fields[name], field)
    return {**asked, "properties": fields} if fields else dict(asked)


def to_put(asked: Mapping[str, Any], live: Mapping[str, Any], last: Last) -> dict[str, Any]:
    """The body that turns the live mapping into the one that is asked; ``last`` has mappings too."""
    return {**put_back(asked, live, last, _TOP_DEFAULTS, _TOP_DEFAULTS), **asked}


def refusals(difference: Difference, live: Mapping[str, Any], gone: frozenset[Path] = frozenset()) -> list[str]:
    """Why one difference below ``mappings`` can't be made in place; empty where it can.

    ``gone`` are the fields that are no longer asked: they stay in the mapping, which hurts nobody.
    """
    path = difference.path[1:]
    if path[:3] == MARK:
        return _other_vectors(difference, live)
    if path[:1] != ("properties",):
        return [] if not path or path[0] in _TOP_DEFAULTS else [f"{dotted(path)} of a mapping is fixed"]
    here = field_at(path)
    if path[len(here) :] == ("type",) and (difference.before, difference.after) == ("object", ABSENT):
        return []  # it has fields from now on, which say the same, or nobody asks for it any more
    if _in_new_field(path, live) or set(path[len(here) :]) & _CHANGEABLE or difference.after in ({}, []):
        return []
    if difference.after is ABSENT:
        if _typed(here, live):
            stays = any(here[: len(each)] == each for each in gone)
        else:  # an object: what it says of itself goes with it, and not before
            stays = path[len(here) :] not in _OF_OBJECTS or any(each[: len(here)] == here for each in gone)
        if stays:
            return []
    if "fields" in here[::2] and difference.before is ABSENT:
        return [f"documents that are there already would not answer to the new sub-field {field(path)}"]
    return [f"{dotted(path[len(here) :])} of the field {field(path)} is fixed once the field exists"]


def _other_vectors(difference: Difference, live: Mapping[str, Any]) -> list[str]:
    """Why the vectors that are there can't stay, as the mark of which model made them says."""
    name = str(difference.path[4]) if len(difference.path) > 4 else ""
    if difference.after is ABSENT or difference.after in ({}, []):
        return []
    if difference.before is not ABSENT:
        what = "made from another field" if difference.path[-1] == "from" else "made by another model"
        return [f"the vectors in {name} were {what}"]
    unmarked = "vectors" not in (live.get("_meta") or {}).get("osform", {})
    if unmarked and _typed(field_path(name), live):
        return []  # an index that somebody else set up: from now on it says which model made its vectors
    return [f"documents that are there already have no vector in {name}, or somebody else's"]


def gone_fields(changed: Sequence[Difference]) -> frozenset[Path]:
    """Of the differences of an index, the fields whose very type is no longer asked: paths below the mapping.

    Not those that are to be objects from now on, which is another type.
    """
    fields = [each for each in changed if each.path[:2] == ("mappings", "properties")]
    asked = {each.path[1:n] for each in fields if each.after is not ABSENT for n in range(1, len(each.path))}
    gone = {field_at(each.path[1:]) for each in fields if each.after is ABSENT and each.path[-1] == "type"}
    return frozenset(gone - asked)


def _in_new_field(path: Path, live: Mapping[str, Any]) -> bool:
    here: Any = live
    for container, name in zip(path[::2], path[1::2], strict=False):
        if container != "properties":
            return False
        fields = here.get("properties", {})
        if name not in fields:
            return True
        here = fields[name]
    return False


def field_at(path: Path) -> Path:
    """The part of a path below the mapping that leads to a field: ("properties", "title", "fields", "keyword")."""
    length = 0
    while length + 1 < len(path) and path[length] in ("properties", "fields"):
        length += 2
    return path[:length]


def _typed(path: Path, live: Mapping[str, Any]) -> bool:
    here: Any = live
    for part in path:
        here = here.get(part, {})
    return "type" in here


def field(path: Path) -> str:
    """The name of the field, as in queries, at or around ``path`` below the mapping."""
    return ".".join(map(str, field_at(path)[1::2]))
