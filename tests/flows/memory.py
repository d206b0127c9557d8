"""An OpenSearch in memory, as far as plan and apply ask of one that has no models."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from osform.cluster.client import Cluster
from osform.core.request import Request
from osform.errors import RequestFailed
from osform.kinds.index import COUNTS

Json = dict[str, Any]
_ONE_AT_A_TIME = threading.RLock()  # applies send from several threads


class MemoryCluster(Cluster):
    """Stands for a cluster: it keeps what it is sent and gives it back as the real one does, as tests/live shows.

    Settings come back as text beside volatile ones, mappings are merged, pipelines are kept verbatim. ``sent`` are the
    requests that changed something, ``drops`` names a key that is lost in every pipeline on its way in, and ``refuses``
    a path at which everything is refused, with the body repeated in the reason. ``held`` says who holds which lock.
    """

    def __init__(self) -> None:
        self.url, self.timeout = "memory", 1.0
        self.documents: dict[str, Json] = {}
        self.settings: Json = {"persistent": {}, "transient": {}}
        self.pipelines: dict[str, dict[str, Json]] = {"_ingest": {}, "_search": {}}
        self.indices: dict[str, Json] = {}
        self.templates: dict[str, Json] = {}
        self.groups: dict[str, Json] = {}
        self.counts: dict[str, int] = {}
        self.shards = {"total": 2, "successful": 2, "failed": 0}
        self.sent: list[str] = []
        self.drops = ""
        self.refuses = "nothing"
        self.held: dict[str, Json] = {}

    def close(self) -> None:
        return

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        with _ONE_AT_A_TIME:
            return self.take(request)

    def take(self, request: Request) -> Any:
        words = [unquote(word) for word in request.path.strip("/").split("/")]
        if self.refuses in request.path and request.method != "GET":
            raise RequestFailed(str(request), 400, "parse_exception", f"can't parse {request.body}")
        if request.method != "GET" and words[-1] not in ("_search", "_refresh") and words[0] != "osform-ledger":
            self.sent.append(str(request))
        return copy.deepcopy(self.answer(request, words, copy.deepcopy(request.body)))

    def answer(self, request: Request, words: list[str], body: Any) -> Any:
        match request.method, words:
            case "GET", [""]:
                return {"version": {"number": "3.6.0"}}
            case method, ["osform-ledger", *rest]:
                return self.ledger(request, method, rest, body)
            case "GET", ["_cluster", "settings"]:
                return self.settings
            case "GET", ["_cluster", "health", _]:
                return {"status": "green"}
            case "PUT", ["_cluster", "settings"]:
                for part, values in body.items():
                    self.settings[part] = _without_nulls(self.settings[part] | values)
            case method, ["_ingest" | "_search" as base, "pipeline", *names]:
                return self.pipeline(request, self.pipelines[base], names, body)
            case method, ["_index_template", *names]:
                return self.template(request, method, names, body)
            case method, ["_plugins", "_ml", "model_groups", *rest]:
                return self.group(request, method, rest, body)
            case "GET", ["_alias"]:
                return {name: {"aliases": index["aliases"]} for name, index in self.indices.items()}
            case "POST", ["_aliases"]:
                for action in body["actions"]:
                    self.alias(action)
            case method, [names, *rest]:
                return self.index(request, method, names, rest, body)
        return {"acknowledged": True}

    def ledger(self, request: Request, method: str, rest: list[str], body: Any) -> Any:
        match method, rest:
            case "PUT", []:
                return {}
            case "POST", ["_search"]:
                return {"hits": {"hits": [{"_source": source} for source in self.found(body["query"])]}}
            case "POST", ["_delete_by_query"]:
                return {"deleted": 0}
            case "PUT", ["_doc", identifier]:
                self.documents[identifier] = body
            case "POST", ["_bulk"]:
                return {"items": list(self.bulk([json.loads(line) for line in body.splitlines()]))}
            case "POST", ["_update", document]:
                return self.lock(body["script"]["params"], self.held.get(document, {}))
            case "HEAD", []:
                return {}
            case "PUT", ["_mapping"]:
                return {}
            case "GET", ["_doc", identifier] if identifier in self.documents:
                return {"_source": self.documents[identifier]}
            case _:
                raise RequestFailed(str(request), 404, "not_found", "not found")
        return {}

    def found(self, query: Json) -> Iterator[Json]:
        """What a search of the ledger finds, the newest first: terms and prefixes, as osform asks for them."""
        wanted = query["bool"]["filter"] if "bool" in query else [query]
        for source in reversed(self.documents.values()):
            if all(_holds(source, each) for each in wanted):
                yield source

    def bulk(self, lines: list[Json]) -> Iterator[Json]:
        rest = iter(lines)
        for ((verb, header),) in (line.items() for line in rest):
            if verb == "index":
                self.documents[header["_id"]] = next(rest)
            else:
                self.documents.pop(header["_id"])
            yield {verb: {"_id": header["_id"], "status": 200}}

    def lock(self, params: Json, held: Json) -> Any:
        """The lock's scripts, where nobody else is there or ``held`` says who: taken, renewed, given back."""
        taken = {**params.get("owner", {}), "since": 1, "until": 2, "fence": 1, **held}
        return {"result": "updated", "get": {"_source": {"lock": taken}}}

    def pipeline(self, request: Request, stored: dict[str, Json], names: list[str], body: Any) -> Any:
        match request.method, names:
            case "GET", []:
                return stored
            case "PUT", [name]:
                body.pop(self.drops, None)
                stored[name] = body
            case "DELETE", [name] if name in stored:
                del stored[name]
            case _:
                raise RequestFailed(str(request), 404, "resource_not_found_exception", "no such pipeline")
        return {"acknowledged": True}

    def template(self, request: Request, method: str, names: list[str], body: Any) -> Any:
        match method, names:
            case "GET", []:
                stored = [{"name": name, "index_template": body} for name, body in self.templates.items()]
                return {"index_templates": stored}
            case "PUT", [name]:
                others = [each for other, each in self.templates.items() if other != name]
                if any(each["priority"] == body["priority"] for each in others):
                    raise RequestFailed(str(request), 400, "illegal_argument_exception", "the same priority")
                self.templates[name] = body
            case _, [name]:
                del self.templates[name]
        return {"acknowledged": True}

    def group(self, request: Request, method: str, rest: list[str], body: Any) -> Any:
        match method, rest:
            case "POST", ["_register"]:
                self.groups[f"g{len(self.sent)}"] = body
                return {"model_group_id": f"g{len(self.sent)}"}
            case "POST", ["_search"]:
                return {"hits": {"hits": [{"_id": id, "_source": group} for id, group in self.groups.items()]}}
            case "GET", [id]:
                return self.groups[id]
            case "PUT", [id]:
                self.groups[id] |= body
            case "DELETE", [id]:
                del self.groups[id]
        return {}

    def index(self, request: Request, method: str, names: str, rest: list[str], body: Any) -> Any:
        match method, rest:
            case "GET", []:
                asked = names.split(",")
                return {name: index for name, index in self.indices.items() if {name, *index["aliases"]} & set(asked)}
            case "PUT", [] if names not in self.indices:
                own = {"index.uuid": names, "index.provided_name": names, "index.creation_date": "17"}
                self.indices[names] = (
                    {"aliases": {}} | body | {"settings": {"index.number_of_shards": "1", **body["settings"], **own}}
                )
            case "PUT", ["_settings"]:
                index = self.indices[names]
                index["settings"] = _without_nulls(index["settings"] | body)
            case "PUT", ["_mapping"]:
                self.indices[names]["mappings"] = _merged(self.indices[names]["mappings"], body)
            case "DELETE", []:
                del self.indices[names]
            case "POST", ["_refresh" | "_close" | "_open"]:
                return {}
            case "POST", ["_search"]:
                buckets = [{"key": name, "doc_count": count} for name, count in self.counts.items()]
                return {"_shards": self.shards, "aggregations": {COUNTS: {"buckets": buckets}}}
            case "GET", ["_stats", _]:
                return {"indices": {}}
            case "GET", ["_count"]:
                return {"_shards": self.shards, "count": self.counts.get(names, 0)}
            case _:
                raise RequestFailed(str(request), 400, "resource_already_exists_exception", "there already")
        return {"acknowledged": True}

    def alias(self, action: Json) -> None:
        ((verb, options),) = action.items()
        aliases = self.indices[options.pop("index")]["aliases"]
        if verb == "add":
            aliases[options.pop("alias")] = options
        else:
            aliases.pop(options["alias"], None)


def _without_nulls(settings: Json) -> Json:
    return {key: value for key, value in settings.items() if value is not None}


def _holds(source: Json, query: Json) -> bool:
    ((verb, ((field, value),)),) = ((verb, tuple(inner.items())) for verb, inner in query.items())
    found = source.get(field)
    return found in value if verb == "terms" else str(found).startswith(value) if verb == "prefix" else found == value


def _merged(old: Any, new: Any) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        return old | {key: _merged(old.get(key), value) for key, value in new.items()}
    return new
