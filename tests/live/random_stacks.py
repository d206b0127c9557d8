"""Stacks drawn at random, for Hypothesis: resources of every kind that one machine can hold, referring to each other.

A drawn stack is a value, address to body; NAME in it stands for a name of the test's own. Names come from a small
pool, so that the next stack of a sequence adds, edits and removes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.live.every_kind import CONNECTOR, TRUST

Drawn = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """A stack, and what was renamed since the one before: old address to new."""

    drawn: Drawn
    moved: Mapping[str, str] = field(default_factory=dict)


EMBEDDING = "NAME-embed"
"""The pipeline that makes vectors, where the stack has one."""
VECTOR = {
    "type": "knn_vector",
    "dimension": "${model/NAME-tiny.dimension}",
    "method": {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"},
}
# Of some of these the object on the server stays where the file is renamed, others are stored under the new name.
RENAMED = (
    "index", "model", "model_group", "connector", "cluster_settings", "ingest_pipeline", "search_pipeline",
    "component_template", "index_template", "stored_script", "alias",
)  # fmt: skip
POOL = ("a", "b")
# What YAML, JSON or a server reads as something else where it isn't quoted.
TRICKY = (
    "1e5", "0x1F", "010", "1_000", "yes", "No", "null", "~", "", " ", " lead", "trail ", "a: b", "- a", "#", "x #y",
    "*a", "&a", "!a", "%a", "@a", "`a`", "'", '"', "\\", "\\n", "a\nb", "\ta", "2026-11-20", "12:30:45", "1.0",
    ".5", "true",    "[a]", "?", "|", ">",
    "\u00e9",
    "\u2028", "\U0001f6a2", "<b>", "$${a}", "NaN", ".inf", "=",
)  # fmt: skip
LETTERS = st.characters(codec="utf-8", exclude_characters="${}", exclude_categories=("Cs", "Cc", "Cn"))
TEXT = st.sampled_from(TRICKY) | st.text(LETTERS, max_size=12)
# ML Commons takes letters, digits and some signs in names and descriptions, and nothing blank.
PLAIN = st.text("abcXYZ019 .,:-", min_size=1, max_size=20).map(str.strip).filter(bool)
SCALAR = TEXT | st.booleans() | st.integers(-(2**31), 2**31) | st.sampled_from([0.5, 1e-7, 1.0, 1e21, -2.25])


def keyed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with names that a document could have."""
    return st.dictionaries(st.sampled_from(("p", "q", "on", "1", "x y")), inner, min_size=1, max_size=2)


def maybe(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Some of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


VALUE = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=2) | keyed(inner), max_leaves=4)
FIELD = st.one_of(
    maybe(analyzer=st.sampled_from(("standard", "english")), store=st.booleans()).map(lambda o: {"type": "text", **o}),
    maybe(ignore_above=st.integers(1, 256), doc_values=st.booleans()).map(lambda o: {"type": "keyword", **o}),
    maybe(coerce=st.booleans(), null_value=st.integers(0, 9)).map(lambda o: {"type": "integer", **o}),
    maybe(format=st.sampled_from(("yyyy-MM-dd", "epoch_millis"))).map(lambda o: {"type": "date", **o}),
    st.just({"type": "boolean"}),
    st.just({"properties": {"inner": {"type": "keyword"}}}),
    st.sampled_from((2, 3)).map(
        lambda dimension: {
            "type": "knn_vector",
            "dimension": dimension,
            "method": {"name": "hnsw", "engine": "lucene", "space_type": "l2", "parameters": {"m": 8}},
        }
    ),
)
PROPERTIES = st.dictionaries(st.sampled_from(("f", "g", "on")), FIELD, max_size=3)
SETTINGS = maybe(
    number_of_replicas=st.sampled_from((0, 1, "0")),
    refresh_interval=st.sampled_from(("1s", "30s", -1)),
    max_result_window=st.integers(5_000, 20_000),
    priority=st.integers(0, 3),
)
PROCESSOR = st.one_of(
    st.builds(lambda value: {"set": {"field": "made", "value": value}}, VALUE),
    st.builds(lambda tag: {"lowercase": {"field": "f", "ignore_missing": True, "tag": tag}}, TEXT),
    st.just({"remove": {"field": ["f", "g"], "ignore_missing": True}}),
    st.builds(lambda if_: {"drop": {"if": if_}}, st.sampled_from(("ctx.f == 'x'", "ctx.g != null && ctx.g > 1e5"))),
)
WEIGHTS = st.sampled_from(([0.5, 0.5], [0.25, 0.75], [1.0, 0.0], [0.3, 0.7]))


@st.composite
def stacks(draw: st.DrawFn) -> Drawn:
    """One stack. What a resource refers to is in it."""
    drawn: Drawn = {}

    def some(kind: str, bodies: st.SearchStrategy[Any], prefix: str = "NAME-") -> list[str]:
        names = [f"{prefix}{name}" for name in draw(st.lists(st.sampled_from(POOL), unique=True))]
        drawn.update({f"{kind}/{name}": draw(bodies) for name in names})
        return names

    drawn |= _settings(draw)
    drawn |= _models(draw)
    drawn |= _packaged(draw)
    some("stored_script", st.builds(_script, st.sampled_from(("doc.f", "params.n + 1", "1 < 2 ? 'a' : \"b\""))))
    ingest = some("ingest_pipeline", _ingest()) + [EMBEDDING] * (f"ingest_pipeline/{EMBEDDING}" in drawn)
    search = some("search_pipeline", _search())
    parts = some("component_template", _part())
    priorities = draw(st.permutations(range(3)))
    for number, name in enumerate(some("index_template", _template(parts))):
        drawn[f"index_template/{name}"]["priority"] = priorities[number]
    indices = some("index", _index(ingest, search))
    if indices:
        some("alias", _alias(indices), "NAME-all-")
    return drawn


def _settings(draw: st.DrawFn) -> Drawn:
    persistent = draw(maybe(**{
        "search.max_buckets": st.integers(60_000, 70_000),
        "cluster.routing.allocation.node_concurrent_recoveries": st.integers(2, 5),
        "action.destructive_requires_name": st.booleans(),
        "indices.recovery.max_bytes_per_sec": st.sampled_from(("40mb", "50mb")),
    }))  # fmt: skip
    return {"cluster_settings/NAME-more": {"persistent": persistent}} if persistent else {}


def _models(draw: st.DrawFn) -> Drawn:
    """Groups, a connector and a remote model: registered in no time, and deployed on whatever node there is."""
    drawn: Drawn = {}
    for name in draw(st.lists(st.sampled_from(POOL), unique=True)):
        drawn[f"model_group/NAME-{name}"] = draw(maybe(description=PLAIN, name=st.just(f"NAME-{name}-group")))
    groups, far_away = list(drawn), draw(st.booleans())
    if groups and far_away:
        drawn["cluster_settings/NAME-trust"] = TRUST
        drawn["connector/NAME"] = CONNECTOR.replace("description: one", f"description: {draw(PLAIN)!r}")
        model = {"connector": "${connector/NAME.connector_id}", "group": f"${{{groups[0]}.model_group_id}}"}
        drawn["model/NAME"] = model | draw(maybe(description=PLAIN))
    return drawn


def _packaged(draw: st.DrawFn) -> Drawn:
    """A tiny model of real bytes, and the pipeline that makes vectors with it; more of a wait, so not often."""
    if draw(st.integers(0, 3)) < 3:
        return {}
    embed = {"text_embedding": {"model_id": "${model/NAME-tiny.model_id}", "field_map": {"f": "vector"}}}
    model = {"model": "tiny", "format": "onnx", "group": "${model_group/NAME-tiny.model_group_id}"}
    return {
        "cluster_settings/NAME-local": {
            "persistent": {"plugins.ml_commons.allow_registering_model_via_local_file": True}
        },
        "model_group/NAME-tiny": {},
        "model/NAME-tiny": model | draw(maybe(description=PLAIN, is_enabled=st.booleans())),
        f"ingest_pipeline/{EMBEDDING}": {"processors": [embed, *draw(st.lists(PROCESSOR, max_size=1))]},
    }


def _script(source: str) -> Drawn:
    return {"script": {"lang": "painless", "source": source}}


def _ingest() -> st.SearchStrategy[Any]:
    processors = st.lists(PROCESSOR, max_size=3)
    needed = st.builds(lambda each: {"processors": each}, processors)
    return st.builds(lambda one, two: one | two, needed, maybe(description=TEXT, version=st.integers(0, 9)))


def _search() -> st.SearchStrategy[Any]:
    normalization = st.sampled_from(("min_max", "l2"))
    return st.builds(
        lambda technique, weights, more: {
            "phase_results_processors": [
                {
                    "normalization-processor": {
                        "normalization": {"technique": technique},
                        "combination": {"technique": "arithmetic_mean", "parameters": {"weights": weights}},
                    }
                }
            ],
            **more,
        },
        normalization,
        WEIGHTS,
        maybe(description=TEXT, version=st.integers(0, 9)),
    )


def _part() -> st.SearchStrategy[Any]:
    template = st.builds(lambda s: {"settings": s}, SETTINGS) | st.just({"mappings": {"dynamic": "false"}})
    needed = st.builds(lambda each: {"template": each}, template)
    return st.builds(lambda a, b: a | b, needed, maybe(version=st.integers(0, 9), _meta=keyed(SCALAR)))


def _template(parts: list[str]) -> st.SearchStrategy[Any]:
    """Of indices that the stack makes, or of others."""
    return st.builds(
        lambda pattern, composed, more: {"index_patterns": [pattern], "composed_of": composed, **more},
        st.sampled_from(("NAME-a*", "NAME-none-*")),
        st.lists(st.sampled_from([f"${{component_template/{part}.name}}" for part in parts]), unique=True)
        if parts
        else st.just([]),
        maybe(version=st.integers(0, 9), _meta=keyed(SCALAR)),
    )


def _index(ingest: list[str], search: list[str]) -> st.SearchStrategy[Any]:
    def whole(settings: Drawn, default: str | None, finder: str | None, properties: Drawn, meta: Drawn) -> Drawn:
        index = {**settings, "knn": True}
        if default:
            index["default_pipeline"] = f"${{ingest_pipeline/{default}.name}}"
        if default == EMBEDDING:
            properties = {**properties, "f": {"type": "text"}, "vector": VECTOR}
        if finder:
            index["search.default_pipeline"] = f"${{search_pipeline/{finder}.name}}"
        return {"settings": {"index": index}, "mappings": {"properties": properties, **meta}}

    meta = maybe(_meta=keyed(SCALAR), dynamic=st.sampled_from(("strict", True, "false")))
    return st.builds(
        whole, SETTINGS, st.sampled_from((None, *ingest)), st.sampled_from((None, *search)), PROPERTIES, meta
    )


def _alias(indices: list[str]) -> st.SearchStrategy[Any]:
    def whole(names: list[str], options: Mapping[str, Any]) -> Drawn:
        return {"indices": [{"index": f"${{index/{name}.name}}", **options} for name in names]}

    names = st.lists(st.sampled_from(indices), unique=True, min_size=1)
    # Of a field that is in no mapping: a server asks whether the value is one of the field's type.
    options = maybe(filter=st.builds(lambda value: {"term": {"h": value}}, TEXT | st.integers(0, 9)))
    return st.builds(whole, names, options)


@st.composite
def sequences(draw: st.DrawFn, length: int) -> list[Step]:
    """Stacks one after the other: other ones, or the same with something renamed."""
    steps = [Step(draw(stacks()))]
    while len(steps) < length:
        before = steps[-1].drawn
        able = [each for each in before if each.partition("/")[0] in RENAMED and each != "cluster_settings/NAME-trust"]
        if able and draw(st.integers(0, 2)) == 0:
            steps.append(_renamed(before, draw(st.sampled_from(able))))
        else:
            steps.append(Step(draw(stacks())))
    return steps


def _renamed(drawn: Drawn, old: str) -> Step:
    new = old.removesuffix("-renamed") if old.endswith("-renamed") else f"{old}-renamed"
    text = json.dumps(drawn).replace(f"${{{old}.", f"${{{new}.")
    after = {new if address == old else address: body for address, body in json.loads(text).items()}
    if new.startswith("model_group/") and "name" in after[new]:  # unique, and the next stack may have the old one
        after[new]["name"] = f"{new.partition('/')[2]}-group"
    return Step(after, {old: new})
