"""Answers as a cluster with one stack gives them, whatever it calls its things; and such answers gone wrong."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

ABOUT = {"cluster_name": "c", "cluster_uuid": "u", "version": {"number": "3.6.0", "distribution": "opensearch"}}
WHEN = "2026-05-04T08:15:30+00:00"


def answer_of(path: str, body: bytes, word: str) -> Any:
    """What is answered to a request, with ``word`` in the place of every name and text."""
    way = path.partition("?")[0]
    if way == "/osform-ledger/_search":
        return _hits([_run(word)] if b'"type": "run"' in body or b'"type":"run"' in body else _entries(word))
    known: dict[str, Any] = {
        "/": ABOUT,
        "/osform-ledger/_update/lock": {"result": "updated"},
        "/osform-ledger/_doc/lock": {"found": True, "_source": {"lock": _lock(word)}},
        "/_plugins/_security/authinfo": {"user_name": word, "roles": [word], "backend_roles": [word]},
        "/_plugins/_security/api/roles": {word: {"index_permissions": [{"index_patterns": [word]}]}},
        "/_nodes/plugins": {"nodes": {word: {"name": word, "roles": ["data"], "plugins": [{"name": word}]}}},
        "/_cluster/settings": {"persistent": {word: word}, "transient": {}},
        "/_cat/indices": [{"index": "a-v1", "health": word, "docs.count": "3"}],
        "/_ingest/pipeline": {word: {"description": word, "processors": []}},
        "/_search/pipeline": {word: {"description": word}},
        "/_index_template": {"index_templates": [{"name": word, "index_template": {"index_patterns": [word]}}]},
        "/_all": {word: _index(word)},
        "/a": {"a-v1": _index(word)},
        "/a,a-v1": {"a-v1": _index(word)},
        "/a/_search": {"took": 3, **_hits([{"title": word}], word)},
    }
    return known.get(way, _hits([{"name": word, "description": word}], word) if "_search" in way else {})


def _index(word: str) -> dict[str, Any]:
    settings = {"index.uuid": "u", "index.number_of_replicas": "1", word: word}
    return {
        "aliases": {"a": {}, word: {}},
        "mappings": {"properties": {"title": {"type": "text"}}},
        "settings": settings,
    }


def _entries(word: str) -> list[dict[str, Any]]:
    common = {"type": "entry", "stack": "odd", "environment": "default", "kind": "index", "status": "applied",
              "applied_by": word, "applied_at": WHEN, "commit": word, "needs": [], "protect": False}  # fmt: skip
    settings = {"settings": {"index": {"number_of_replicas": 0}}}
    return [
        {**common, "name": "a", "asked": settings, "recorded": settings, "ids": {"index": "a-v1"}},
        {**common, "name": word, "asked": {word: word}, "recorded": {word: word}, "ids": {"index": word}},
        {**common, "name": f"{word}-theirs", "stack": word, "asked": {}, "recorded": {}, "ids": {}},
        {"type": "key", "key": "0" * 32},
    ]


def _run(word: str) -> dict[str, Any]:
    change = {"address": word, "action": "update", "reason": word, "status": word, "seconds": 1.5, "message": word,
              "differences": [{"path": word, "before": word, "after": word}], "more": 1}  # fmt: skip
    run = {"id": word, "stack": word, "environment": word, "command": word, "by": word, "started_at": WHEN,
           "commit": word, "checksum": word, "status": "failed", "seconds": 1.5, "message": word, "changes": [change],
           "counts": {word: 1}}  # fmt: skip
    return {"type": "run", "journal": run}


def _lock(word: str) -> dict[str, Any]:
    return {"user": word, "host": word, "pid": 1, "run": word, "since": 1, "until": 2, "fence": 1}


def _hits(sources: list[dict[str, Any]], word: str = "1") -> dict[str, Any]:
    hits = [{"_id": word, "_score": 1.0, "_source": source, "_seq_no": 1, "_primary_term": 1} for source in sources]
    return {"hits": {"total": {"value": len(hits)}, "hits": hits}}


def gone_wrong(answer: Any, chance: random.Random) -> Any:
    """The answer with one thing in it that it should not be."""
    made = copy.deepcopy({"": answer})
    places = list(_places(made))
    where, key = places[min(int(chance.expovariate(0.2)), len(places) - 1)] if chance.random() < 0.5 else (
        chance.choice(places))  # fmt: skip
    where[key] = chance.choice([None, 0, -1.5, 1e300, "", "x", "\ud800", True, [], {}, [None], {"x": 1}, [[{}]], "1"])
    if chance.random() < 0.2 and isinstance(where, dict):
        del where[key]
    return made.get("", {})


def _places(value: Any) -> Any:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield value, key
        yield from _places(each)


def as_json(value: Any) -> bytes:
    """Bytes on the wire; halves of letters as JSON writes them."""
    return json.dumps(value).encode()
