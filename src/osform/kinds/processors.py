"""The keys without which OpenSearch refuses a processor, and the numbers that a normalization-processor can't use.

The tables hold the processors of ingest-common, search-pipeline-common, neural-search and ML Commons; a live test holds
them to the server. ``"source|id"`` means one of the two. Processors that are not listed are left to the server.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from osform.core.document import Path
from osform.kinds import checks
from osform.kinds.base import Body, Finding

INGEST: Mapping[str, tuple[str, ...]] = {
    "append": ("field", "value"),
    "bytes": ("field",),
    "convert": ("field", "type"),
    "copy": ("source_field", "target_field"),
    "csv": ("field", "target_fields"),
    "date": ("field", "formats"),
    "date_index_name": ("field", "date_rounding"),
    "dissect": ("field", "pattern"),
    "dot_expander": ("field",),
    "fail": ("message",),
    "foreach": ("field", "processor"),
    "grok": ("field", "patterns"),
    "gsub": ("field", "pattern", "replacement"),
    "html_strip": ("field",),
    "join": ("field", "separator"),
    "json": ("field",),
    "kv": ("field", "field_split", "value_split"),
    "lowercase": ("field",),
    "pipeline": ("name",),
    "remove": ("field|exclude_field",),
    "remove_by_pattern": ("field_pattern|exclude_field_pattern",),
    "rename": ("field", "target_field"),
    "script": ("source|id",),
    "set": ("field",),
    "sort": ("field",),
    "split": ("field", "separator"),
    "trim": ("field",),
    "uppercase": ("field",),
    "urldecode": ("field",),
    "text_embedding": ("model_id", "field_map"),
    "sparse_encoding": ("model_id", "field_map"),
    "text_image_embedding": ("model_id", "embedding", "field_map"),
    "text_chunking": ("algorithm", "field_map"),
    "ml_inference": ("model_id",),
}

SEARCH: Mapping[str, tuple[str, ...]] = {
    "filter_query": ("query",),
    "script": ("source|id",),
    "oversample": ("sample_factor",),
    "rename_field": ("field", "target_field"),
    "collapse": ("field",),
    "sort": ("field",),
    "split": ("field", "separator"),
    "ml_inference": ("model_id",),
}

_NORMALIZATIONS = ("min_max", "l2", "z_score")
_COMBINATIONS = ("arithmetic_mean", "geometric_mean", "harmonic_mean")


def check(body: Body, key: str, demands: Mapping[str, tuple[str, ...]]) -> Iterator[Finding]:
    """A list of processors: each a mapping with one key, its type, and the options that this type must have."""
    listed = body.get(key, [])
    for index, processor in enumerate(listed if isinstance(listed, list) else ()):
        path: Path = (key, index)
        if not isinstance(processor, dict) or len(processor) != 1:
            found = f"the keys {', '.join(processor)}" if isinstance(processor, dict) else checks.described(processor)
            message = f"{found or 'no key'}, expected a mapping with one key, the processor's type"
            yield Finding(path, message, "write '- TYPE: {OPTION: VALUE}' for each processor")
            continue
        ((kind, options),) = processor.items()
        if not isinstance(options, dict):
            yield Finding((*path, kind), *checks.otherwise(options, dict))
            continue
        for demand in demands.get(kind, ()):
            either = tuple(demand.split("|"))
            if not set(either) & options.keys():
                yield from checks.required(options, either[:1], (*path, kind))
        if kind == "normalization-processor":
            yield from _check_normalization(options, (*path, kind))


def _check_normalization(options: Body, path: Path) -> Iterator[Finding]:
    normalization, combination = options.get("normalization"), options.get("combination")
    how = normalization if isinstance(normalization, dict) else {}
    together = combination if isinstance(combination, dict) else {}
    for part, chosen, known in (
        ("normalization", how, _NORMALIZATIONS), ("combination", together, _COMBINATIONS),
    ):  # fmt: skip
        technique = chosen.get("technique")
        if isinstance(technique, str) and technique not in known:
            hint = checks.nearest(technique, frozenset(known))
            yield Finding((*path, part, "technique"), f"{technique!r}, expected {' or '.join(known)}", hint)
    if how.get("technique") == "z_score" and together.get("technique", "arithmetic_mean") != "arithmetic_mean":
        message = f"{together['technique']} of z-scores, which are negative too"
        yield Finding((*path, "combination", "technique"), message, "write arithmetic_mean, or normalize by min_max")
    yield from _check_weights(together.get("parameters"), how.get("parameters"), path)


def _check_weights(combination: Any, normalization: Any, path: Path) -> Iterator[Finding]:
    weights = combination.get("weights") if isinstance(combination, dict) else None
    where = (*path, "combination", "parameters", "weights")
    if weights is None or checks.open_ended(weights):
        return
    if not isinstance(weights, list):
        yield Finding(where, *checks.otherwise(weights, list))
        return
    wrong = [(n, each) for n, each in enumerate(weights) if not _is_number(each) and not checks.open_ended(each)]
    yield from (Finding((*where, n), *checks.otherwise(each, float)) for n, each in wrong)
    if wrong or any(checks.open_ended(each) for each in weights):
        return
    for number, weight in enumerate(weights):
        if not 0 <= weight <= 1:
            yield Finding((*where, number), f"{weight}, expected a weight between 0 and 1", "weights add up to 1")
    # As the server compares it.
    if not math.isclose(math.fsum(weights), 1.0, abs_tol=1e-3):
        yield Finding(where, f"the weights add up to {math.fsum(weights):g}, expected 1", "one for each sub-query")
    for key in ("lower_bounds", "upper_bounds"):
        bounds = normalization.get(key) if isinstance(normalization, dict) else None
        if isinstance(bounds, list) and len(bounds) != len(weights):
            message = f"{len(bounds)} bounds, but {len(weights)} weights"
            yield Finding((*path, "normalization", "parameters", key), message, "write one for each sub-query")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
