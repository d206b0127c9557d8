"""Indices: ``index/images`` is the alias ``images`` in front of one physical index, ``images-v<N>``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from osform.core.address import Address
from osform.core.diff import ABSENT, Difference, differences
from osform.core.document import dotted
from osform.core.loading import meta_with, note_of, settled
from osform.core.request import Request
from osform.core.values import leaves
from osform.kinds import alias_options, checks, mappings, vectors
from osform.kinds.base import Body, Context, Finding, Last, Live, Send, SendClosed, Step, Wanted
from osform.kinds.settings import flat, pipelines

KIND = "index"
KEYS = frozenset({"settings", "mappings", "aliases"})
OUTPUTS = frozenset({"name"})
PASSED: frozenset[str] = frozenset()
EVENTUAL = False

_STATIC = frozenset({
    "index.number_of_shards", "index.number_of_routing_shards", "index.routing_partition_size", "index.knn",
    "index.codec", "index.codec.compression_level", "index.store.type", "index.store.preload",
    "index.soft_deletes.enabled", "index.load_fixed_bitset_filters_eagerly", "index.knn.derived_source.enabled",
    "index.derived_source.enabled", "index.sparse", "index.append_only.enabled", "index.composite_index",
    "index.replication.type", "index.merge.policy", "index.queries.cache.enabled", "index.shard.check_on_startup",
})  # fmt: skip
_STATIC_GROUPS = ("index.analysis.", "index.sort.", "index.similarity.")
_CLOSED = frozenset({"index.codec", "index.codec.compression_level", "index.load_fixed_bitset_filters_eagerly"})
VOLATILE = ("index.creation_date", "index.uuid", "index.version.", "index.provided_name", "index.resize.")
BY_THE_SERVER: Mapping[str, str] = {
    "index.number_of_shards": "1", "index.number_of_replicas": "1", "index.replication.type": "DOCUMENT",
    "index.knn.derived_source.enabled": "true", "index.merge.policy.floor_segment": "2mb",
    "index.merge.policy.max_merge_at_once": "10",
}  # fmt: skip
"""What a server says of an index for which nobody asked it: its defaults, written down when the index was made."""
COUNTS = "documents"
ANOTHER = "another physical index is a replacement"
# A request line may have 4,096 bytes by default; names are short of 255 each.
_LONGEST_NAMES = 3000
_SEARCH = "index.search.default_pipeline"
_REPLICAS, _EXPAND = "index.number_of_replicas", "index.auto_expand_replicas"


def physical(name: str, version: int) -> str:
    """The name of an index behind its alias; number 0 is one under its plain name, which somebody else made."""
    return f"{name}-v{version}" if version else name


def behind(name: str, context: Context) -> str:
    """The physical index of an index resource."""
    return context.physical.get(name) or physical(name, context.versions.get(name, 1))


def check(name: str, body: Body, context: Context) -> Iterator[Finding]:
    """The name, types, and what OpenSearch would refuse in a mapping."""
    yield from checks.named(name, "an index")
    yield from checks.typed(body, {"settings": dict, "mappings": dict, "aliases": dict})
    yield from checks.settings(body.get("settings", {}), ("settings",))
    yield from _check_replicas(body.get("settings", {}))
    yield from _check_aliases(name, body.get("aliases", {}))
    if isinstance(body.get("mappings"), dict):
        yield from mappings.check(body["mappings"])
        meta = body["mappings"].get("_meta")
        if isinstance(meta, dict) and vectors.META in meta:
            path = ("mappings", "_meta", vectors.META)
            yield Finding(path, "osform's own note of which model made the vectors", "leave it out, or rename it")


def _check_replicas(settings: Body) -> Iterator[Finding]:
    found = flat(settings, "index.")
    for path, _ in leaves(settings) if expands(found) else ():
        if dotted(path).removeprefix("index.") == "number_of_replicas":
            message = f"beside auto_expand_replicas: {found[_EXPAND]}, by which the server counts them itself"
            yield Finding(("settings", *path), message, "remove one of the two")


def expands(settings: Body) -> bool:
    """Whether the server adds and removes replicas as data nodes come and go."""
    return str(settings.get(_EXPAND) or "false").lower() != "false"


def _check_aliases(name: str, aliases: Any) -> Iterator[Finding]:
    for alias, options in aliases.items() if isinstance(aliases, dict) else ():
        if alias == name:
            hint = "leave it out: the index is always behind this alias"
            yield Finding(("aliases", alias), f"{name!r} is the resource's own name", hint)
        yield from alias_options.check(options, ("aliases", alias))


def expand(name: str, body: Body, context: Context) -> Body:
    """Flat settings, the alias, and the copy of an embedding pipeline that belongs to this physical index."""
    version = context.versions.get(name, 1)
    settings = flat(body.get("settings", {}), "index.")
    for key in ("index.default_pipeline", "index.final_pipeline"):
        copy = physical(str(settings.get(key)), version)
        if copy in context.copies.get(str(settings.get(key)), ()):  # else it is a copy for other indices alone
            settings[key] = copy
    if settings.get(_SEARCH) in context.searches:
        settings[_SEARCH] = physical(settings[_SEARCH], version)
    aliases = {alias: alias_options.normal(options) for alias, options in body.get("aliases", {}).items()}
    index = behind(name, context)
    alias = {"alias": name} if index != name else {}
    expanded: dict[str, Any] = {"index": index, **alias, "settings": settings}
    if aliases:
        expanded["aliases"] = aliases
    mapping = mappings.normal(mappings.unfolded(body.get("mappings", {})))
    mapping = vectors.marked(mapping, context.vectors.get(name, {}))
    return expanded | {"mappings": mapping}


def known(name: str, body: Body, context: Context) -> Mapping[str, Any]:
    """The name that users and programs see: the alias."""
    return {"name": name}


def needs(body: Body) -> Iterator[Address]:
    """Pipelines that the settings name plainly."""
    yield from pipelines(flat(body.get("settings", {}), "index."))


def reads(wanted: Mapping[str, Wanted]) -> Sequence[Request]:
    """The indices by alias and by physical name, as many to a request as a request line holds."""
    names = sorted({each for name, want in wanted.items() for each in (name, _physical(want) or name)})
    batches: list[list[str]] = [[]]
    for name in names:
        if sum(len(quote(each)) + 1 for each in batches[-1]) + len(quote(name)) > _LONGEST_NAMES:
            batches.append([])
        batches[-1].append(name)
    params = {"flat_settings": "true", "ignore_unavailable": "true"}
    count = {"size": 0, "aggs": {COUNTS: {"terms": {"field": "_index", "size": 10_000}}}}
    requests: list[Request] = []
    for path in ("/" + ",".join(quote(name) for name in batch) for batch in batches if batch):
        requests.append(Request("GET", path, params=params))
        requests.append(Request("POST", f"{path}/_search", count, {"ignore_unavailable": "true"}))
    return requests


def found(answers: Sequence[Any], wanted: Mapping[str, Wanted]) -> Mapping[str, Live]:
    """The physical index that the ledger remembers, else whatever answers to the name."""
    stored: dict[str, Any] = {name: body for answer in answers[::2] for name, body in (answer or {}).items()}
    documents = {
        bucket["key"]: bucket["doc_count"]
        for answer in answers[1::2]
        for bucket in (answer or {}).get("aggregations", {}).get(COUNTS, {}).get("buckets", [])
    }
    partly = {
        name
        for stored_, counted in zip(answers[::2], answers[1::2], strict=False)
        if not every_shard(counted)
        for name in stored_ or {}
    }
    live: dict[str, Live] = {}
    for name, want in wanted.items():
        answering = [index for index, body in stored.items() if index == name or name in body.get("aliases", {})]
        index = _physical(want)
        if index not in stored:
            index = next(iter(sorted(answering)), None)
        if index is not None:
            ours = {name, *want.asked.get("aliases", {}), *want.recorded.get("aliases", {})}
            body = _body(name, index, stored[index], ours)
            count = documents.get(index, 0)
            live[name] = _after_load(Live(body, {"index": index}, count, counted=index not in partly))
    return live


def every_shard(answer: Any) -> bool:
    """Whether every shard took part in a search or a count: one that no node has is neither failed nor successful."""
    shards = (answer or {}).get("_shards", {})
    return bool(shards.get("successful", 0) == shards.get("total", 0))


def _after_load(live: Live) -> Live:
    """An index as it will be once the load that is under way is over."""
    note = note_of(live.body["mappings"])
    if note is None:
        return live
    settings = live.body["settings"]
    meta = meta_with(live.body["mappings"], None)
    mapping = {key: value for key, value in live.body["mappings"].items() if key != "_meta"}
    body = {**live.body, "settings": settled(settings, note), "mappings": mapping | ({"_meta": meta} if meta else {})}
    return replace(live, body=body, load=replace(note, before=note.to_back(settings)))


def as_left(live: Live, now: float) -> Live:
    """An index whose load is dead, as that left it: nobody puts anything back, so it is drift. Any other as it is."""
    if live.load is None or not live.load.dead(now):
        return live
    settings = {key: value for key, value in live.body["settings"].items() if key not in live.load.before}
    settings |= {key: live.load.during[key] for key in live.load.before if live.load.during[key] is not None}
    mapping = {**live.body["mappings"], "_meta": meta_with(live.body["mappings"], live.load)}
    return replace(live, body={**live.body, "settings": settings, "mappings": mapping}, load=None)


def _physical(want: Wanted) -> str | None:
    index = want.ids.get("index") or want.asked.get("index")
    return str(index) if index else None


def _body(name: str, index: str, stored: Mapping[str, Any], ours: set[str]) -> Body:
    # Aliases that others put on the index are theirs, and no concern of this resource.
    aliases = {alias: options for alias, options in stored.get("aliases", {}).items() if alias in ours}
    body: dict[str, Any] = {"index": index}
    if aliases.pop(name, None) is not None:
        body["alias"] = name
    settings = stored.get("settings", {})
    body["settings"] = {key: value for key, value in settings.items() if not key.startswith(VOLATILE)}
    if aliases:
        body["aliases"] = aliases
    return body | {"mappings": mappings.normal(stored.get("mappings", {}))}


def drift(recorded: Body, live: Body) -> tuple[Difference, ...]:
    """Settings, aliases and fields that changed; no fields that documents brought, nor replicas the server counts."""
    ours = mappings.without_dynamic_fields(live.get("mappings", {}), recorded.get("mappings", {}))
    found = differences(recorded, {**live, "mappings": ours})
    counted = all(expands(body.get("settings", {})) for body in (recorded, live))
    return tuple(each for each in found if not (counted and each.path == ("settings", _REPLICAS)))


def refusal(changed: Sequence[Difference], live: Live) -> str | None:
    """Static settings, and changes to fields that old documents would not answer to."""
    reasons: list[str] = []
    gone_fields = mappings.gone_fields(changed)
    for difference in changed:
        part, key = (*difference.path, "", "")[:2]
        if part == "settings" and _is_static(str(key)) and difference.after is not ABSENT:
            reasons.append(f"{key} is fixed when an index is made")
        elif part == "mappings":
            reasons += mappings.refusals(difference, live.body["mappings"], gone_fields)
        elif part == "index":
            reasons.append(ANOTHER)
    return "; ".join(dict.fromkeys(reasons)) or None


def _is_static(setting: str) -> bool:
    return setting in _STATIC or setting.startswith(_STATIC_GROUPS)


def closable(changed: Sequence[Difference], live: Live) -> bool:
    """Whether what can't be changed in place could be, were the index closed: no document would answer otherwise."""
    rest = [each for each in changed if not _while_closed(each)]
    return len(rest) < len(changed) and refusal(rest, live) is None


def _while_closed(difference: Difference) -> bool:
    part, key = (*difference.path, "", "")[:2]
    if part != "settings" or difference.after is ABSENT:
        return False
    # An analyzer that is new was used for no document yet; one that changes was, and its documents would be wrong.
    new = str(key).startswith("index.analysis.") and difference.before is ABSENT
    return new or str(key) in _CLOSED or str(key).startswith("index.similarity.")


def remarks(changed: Sequence[Difference]) -> Sequence[str]:
    """What stays although the files no longer ask for it."""
    gone = [difference.path for difference in changed if difference.after is ABSENT]
    settings = sorted({str(path[1]) for path in gone if path[0] == "settings" and _is_static(str(path[1]))})
    fields = sorted(mappings.field(path) for path in mappings.gone_fields(changed))
    kept = [f"{each} stays as it is: it is fixed when an index is made" for each in settings]
    return kept + [f"the field {each} stays in the mapping: OpenSearch can't take one away" for each in fields]


def expendable(live: Live) -> bool:
    """An index without a document, as far as all of it could be looked at."""
    return live.documents == 0 and live.counted


def create(name: str, asked: Body, ids: Mapping[str, str]) -> Sequence[Step]:
    """One request makes the physical index together with its alias, so that no write slips in between."""
    aliases = {name: {}, **asked.get("aliases", {})}
    body = {"aliases": aliases, "settings": asked["settings"], "mappings": asked["mappings"]}
    return [Send(Request("PUT", f"/{quote(asked['index'])}", body))]


def update(name: str, asked: Body, live: Live, last: Last) -> Sequence[Step]:
    """Only what differs: settings, mapping, aliases, each in one request."""
    index = quote(live.ids["index"])
    steps: list[Step] = []
    closed = {key: value for key, value in asked["settings"].items() if _is_static(key)}
    if missed := {key: value for key, value in closed.items() if live.body["settings"].get(key) != value}:
        # Refused above, but where the file allows the index to be closed.
        steps.append(SendClosed(live.ids["index"], Request("PUT", f"/{index}/_settings", missed)))
    settings = _settings_to_put(asked["settings"], live.body["settings"], last)
    if settings:
        steps.append(Send(Request("PUT", f"/{index}/_settings", settings)))
    if differences(live.body["mappings"], asked["mappings"]):
        before = Last(last.asked.get("mappings", {}), last.recorded.get("mappings", {}))
        mapping = mappings.to_put(asked["mappings"], live.body["mappings"], before)
        if live.load:  # what a load has noted is not ours to lose
            there = {"_meta": mapping.get("_meta", live.body["mappings"].get("_meta", {}))}
            mapping = {**mapping, "_meta": meta_with(there, live.load)}
        steps.append(Send(Request("PUT", f"/{index}/_mapping", mapping)))
    actions = _alias_actions(live.ids["index"], name, asked, live.body)
    if actions:
        steps.append(Send(Request("POST", "/_aliases", {"actions": actions})))
    return steps


def _settings_to_put(asked: Body, live: Body, last: Last) -> dict[str, Any]:
    # Null is the server's default: for what was asked once and is not any more, and for what somebody set since the
    # last look. What somebody changed goes back to what was there then.
    recorded = last.recorded.get("settings", {})
    wanted: dict[str, Any] = {key: recorded.get(key) for key in {**live, **recorded}} if recorded else {}
    wanted |= dict.fromkeys(last.asked.get("settings", {}))
    if expands(asked):
        wanted.pop(_REPLICAS, None)
    wanted |= asked
    return {key: value for key, value in wanted.items() if not _is_static(key) and live.get(key) != value}


def _alias_actions(index: str, name: str, asked: Body, live: Body) -> list[dict[str, Any]]:
    wanted = {**({name: {}} if asked.get("alias") else {}), **asked.get("aliases", {})}
    there = {**({name: {}} if live.get("alias") else {}), **live.get("aliases", {})}
    add = [{"add": {"index": index, "alias": a, **o}} for a, o in wanted.items() if there.get(a) != o]
    remove = [{"remove": {"index": index, "alias": a}} for a in there if a not in wanted]
    return add + remove


def delete(name: str, live: Live) -> Sequence[Step]:
    """Delete the physical index; the alias goes with it."""
    return [Send(Request("DELETE", f"/{quote(live.ids['index'])}"))]


def outputs(name: str, live: Live) -> Mapping[str, Any]:
    """The alias."""
    return {"name": name}
