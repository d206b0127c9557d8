"""Every field of every kind with two values: what the plan shows for each edit, and what can't be edited in place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

Body = dict[str, Any]
NOTHING: Any = object()
"""The value of a field that isn't there."""


@dataclass(frozen=True)
class Field:
    """A field of a body by its path, ``actions[0].url``, and two values for it, the first of which it starts with.

    The plan shows it at ``shown``, or at the same path; ``text`` says that values are shown as text. ``needed`` can't
    be taken out, and ``stays`` is the note of one that the server keeps. ``anew`` is why a change can't be made in
    place, so that the resource is made anew; ``refused``, why it is made not at all.
    """

    path: str
    one: Any
    other: Any
    shown: str = ""
    text: bool = False
    needed: bool = False
    stays: str = ""
    anew: str = ""
    refused: str = ""
    secret: bool = False

    def __str__(self) -> str:
        return self.path

    def differences(self, before: Any, after: Any) -> dict[str, tuple[Any, Any]]:
        """What the plan shows, by path, where the field goes from one value to the other, or to NOTHING."""
        old, new = (dict(self._leaves(self.shown or self.path, value)) for value in (before, after))
        return {
            path: (old.get(path), new.get(path))
            for path in old | new
            if old.get(path, NOTHING) != new.get(path, NOTHING)
        }

    def _leaves(self, path: str, value: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                yield from self._leaves(f"{path}.{key}", inner)
        elif isinstance(value, list):
            for number, inner in enumerate(value):
                yield from self._leaves(f"{path}[{number}]", inner)
        elif value is not NOTHING:
            yield path, str(value).lower() if self.text and not isinstance(value, str) else value


@dataclass(frozen=True)
class Kind:
    """A resource of a kind without the fields that are edited, what it needs beside it, and why keys have no field."""

    name: str
    fields: tuple[Field, ...]
    rest: Body = field(default_factory=dict)
    beside: Mapping[str, Any] = field(default_factory=dict)
    without: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    @property
    def address(self) -> str:
        """Where its file is; NAME stands for a name of the test's own."""
        return f"{self.name}/NAME"

    def body(self) -> Body:
        """The resource with every field at its first value."""
        body = deepcopy(self.rest)
        for each in self.fields:
            body = edited(body, each.path, each.one)
        return body


def edited(body: Body, path: str, value: Any) -> Body:
    """The body with another value at the path; NOTHING takes it out."""
    body = deepcopy(body)
    *way, last = [int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", path)]
    here: Any = body
    for part, following in pairwise([*way, last]):
        if isinstance(here, dict):
            here = here.setdefault(part, [] if isinstance(following, int) else {})
        else:
            here.extend([{}] * (part == len(here)))
            here = here[part]
    if value is NOTHING:
        del here[last]
    elif isinstance(here, list) and last == len(here):
        here.append(value)
    else:
        here[last] = value
    return body


SECURITY = "the server refuses it where the security plugin is not there"
ROLES = {"add_all_backend_roles": "refused, since the server never gives it back"}
ELSEWHERE = "a model of another source: tests/live/test_registration.py"
TRUST: Body = {
    "persistent": {
        "plugins.ml_commons.trusted_connector_endpoints_regex": [r"^http://127\.0\.0\.1:.*$"],
        "plugins.ml_commons.connector.private_ip_enabled": True,
    }
}
"""Lets connectors speak to this machine."""
CONNECTOR: Body = {
    "version": 1,
    "protocol": "http",
    "credential": {"key": "${env.KEY}"},
    "parameters": {"model": "m"},
    "actions": [{
        "action_type": "predict", "method": "POST", "url": "http://127.0.0.1:9/embed",
        "headers": {"Authorization": "Bearer ${credential.key}"}, "request_body": '{"input": ${parameters.input}}',
    }],
}  # fmt: skip
CONFIG: Body = {"model_type": "any", "framework_type": "HUGGINGFACE_TRANSFORMERS"}
MAPPING: Body = {"mappings": {"properties": {"a": {"type": "keyword"}, "n": {"type": "long"}}}}
FIXED = "is fixed once the field exists"
MADE = "is fixed when an index is made"
KEPT = "stays: OpenSearch can't delete fields from a connector"
PARTS = (
    Field("template.settings.index.number_of_shards", 1, 2, text=True),
    Field("template.settings.index.refresh_interval", "5s", "1m"),
    Field("template.settings.index.query.default_field", ["a"], ["a", "b"]),
    Field("template.mappings.dynamic", False, "strict", text=True),
    Field("template.mappings._meta", {"on": "yes"}, {"on": "1e5"}),
    Field("template.mappings.date_detection", False, True),
    Field("template.mappings.properties.a.type", "text", "keyword", needed=True),
    Field("template.mappings.properties.a.meta", {"unit": "1"}, {"unit": "2"}),
    Field("template.aliases.NAME-one.filter", {"term": {"a": 1}}, {"term": {"a": "1"}}),
    Field("template.aliases.NAME-one.index_routing", "1", "x"),
    Field("template.aliases.NAME-one.search_routing", "1", "2"),
)
"""Fields that both sorts of templates have."""

KINDS = (
    Kind("cluster_settings", (
        Field("persistent.search.max_buckets", 60_000, 61_000, text=True),
        Field("persistent.action.destructive_requires_name", False, True, text=True),
        Field("persistent.indices.recovery.max_bytes_per_sec", "50mb", "51mb"),
        Field("persistent.plugins.ml_commons.trusted_connector_endpoints_regex", ["^a$"], ["^a$", "^b$"]),
        Field("transient.cluster.routing.allocation.node_concurrent_recoveries", 3, 4, text=True),
    )),
    Kind("model_group", (
        Field("description", "one", "two: 2",
              stays="description stays: OpenSearch can't take it away from a model group"),
        Field("name", "NAME", "NAME-other", needed=True),
    ), without=dict.fromkeys(("access_mode", "backend_roles"), SECURITY) | ROLES),
    Kind("connector", (
        Field("description", "one", "two"),
        Field("name", "NAME", "NAME-other", needed=True),
        Field("version", 1, 2, text=True, needed=True),
        Field("protocol", "http", "aws_sigv4", refused="another protocol makes it another connector", needed=True),
        Field("parameters.model", "m", "1e5", stays=f"parameters.model {KEPT}"),
        Field("parameters.n", 3, 4, text=True, stays=f"parameters.n {KEPT}"),
        Field("parameters.flag", True, False, text=True, stays=f"parameters.flag {KEPT}"),
        Field("credential.key", "${env.KEY}", "my ${env.KEY}", secret=True, stays=f"credential.key {KEPT}"),
        Field("client_config.max_connection", 10, 20, stays=f"client_config.max_connection {KEPT}"),
        Field("client_config.read_timeout", 5, 6, stays=f"client_config.read_timeout {KEPT}"),
        Field("actions[0].action_type", "PREDICT", "BATCH_PREDICT", needed=True),
        Field("actions[0].method", "POST", "PUT", needed=True),
        Field("actions[0].url", "http://127.0.0.1:9/embed", "http://127.0.0.1:9/vectors", needed=True),
        Field("actions[0].headers.X-More", "1e5", "true"),
        Field("actions[0].request_body", '{"a": "${parameters.model}"}', '{"b": "${parameters.model}"}'),
        Field("actions[0].pre_process_function", "connector.pre_process.openai.embedding",
              "connector.pre_process.cohere.embedding"),
        Field("actions[0].post_process_function", "connector.post_process.openai.embedding",
              "connector.post_process.cohere.embedding"),
    ), beside={"cluster_settings/NAME": TRUST},
       without=dict.fromkeys(("access_mode", "backend_roles"), SECURITY) | ROLES
       | dict.fromkeys(("url", "headers"), "of other protocols than http")),
    Kind("model", (
        Field("description", "one", "two: 2"),
        Field("name", "NAME", "NAME-other", needed=True),
        Field("is_enabled", True, False),
        Field("rate_limiter", {"limit": 4, "unit": "MINUTES"}, {"limit": 5, "unit": "HOURS"}, text=True,
              stays="rate_limiter stays: OpenSearch can't take it away from a model"),
        Field("interface", {"input": {"type": "object"}}, {"input": {"type": "object", "title": "1e5"}},
              stays="interface stays: OpenSearch can't take it away from a model"),
        Field("connector", "${connector/NAME.connector_id}", "${connector/NAME-two.connector_id}",
              shown="connector_id", anew="makes it another model", needed=True),
        Field("group", "${model_group/NAME.model_group_id}", "${model_group/NAME-two.model_group_id}",
              shown="model_group_id", anew="makes it another model", needed=True),
        Field("model_config", {**CONFIG, "embedding_dimension": 4}, {**CONFIG, "embedding_dimension": 5},
              anew="makes it another model"),
    ), beside={"cluster_settings/NAME": TRUST, "connector/NAME": CONNECTOR, "connector/NAME-two": CONNECTOR,
               "model_group/NAME": {"description": "one"}, "model_group/NAME-two": {"description": "two"}},
       without={"probe": "asked of a model that answers: tests/live/full.py", "guardrails": "needs a model that judges"}
       | dict.fromkeys(("model", "format", "precision", "pretrained", "version", "url", "function_name",
                        "model_content_hash_value"), ELSEWHERE)),
    Kind("ingest_pipeline", (
        Field("description", "one", "1e5"),
        Field("version", 1, 2),
        Field("processors[0].set.value", 1, "1", needed=True),
        Field("processors[0].set.tag", "010", "no"),
        Field("processors[0].set.override", True, False),
        Field("processors[1]", {"set": {"field": "b", "value": {"x.y": [1, 2.5, None, "null"]}}},
              {"remove": {"field": ["b", "c"], "ignore_missing": True}}),
        Field("on_failure", [{"set": {"field": "c", "value": True}}], [{"set": {"field": "c", "value": "true"}}]),
    ), {"processors": [{"set": {"field": "a"}}]}),
    Kind("search_pipeline", (
        Field("description", "one", "two: '2'"),
        Field("version", 1, 2),
        Field("request_processors", [{"neural_query_enricher": {"default_model_id": "x"}}],
              [{"neural_query_enricher": {"default_model_id": "1e5"}}]),
        Field("response_processors", [{"rerank": {"by_field": {"target_field": "a"}}}],
              [{"rerank": {"by_field": {"target_field": "b"}, "ignore_failure": True}}]),
        Field("phase_results_processors", [{"normalization-processor": {"normalization": {"technique": "min_max"}}}],
              [{"normalization-processor": {"normalization": {"technique": "l2"},
                                            "combination": {"parameters": {"weights": [0.25, 0.75]}}}}]),
    )),
    Kind("stored_script", (
        Field("script.lang", "painless", "mustache", needed=True),
        Field("script.source", "1 + 1", "1 + 2", needed=True),
    )),
    Kind("component_template", (
        Field("version", 1, 2),
        Field("_meta", {"by": "one", "1": {"yes": [1]}}, {"by": "1e5"}),
        *PARTS,
    )),
    Kind("index_template", (
        Field("index_patterns[1]", "NAME-b-*", "NAME-c-*"),
        Field("priority", 5, 6),
        Field("version", 1, 2),
        Field("_meta", {"by": "one", "1": {"yes": [1]}}, {"by": "1e5"}),
        Field("composed_of", ["NAME-one", "NAME-two"], ["NAME-two", "NAME-one"]),
        *PARTS,
    ), {"index_patterns": ["NAME-a-*"]},
       {f"component_template/NAME-{each}": {"template": {"settings": {"codec": "default"}}} for each in ("one", "two")},
       {"data_stream": "refused, for now"}),
    Kind("index", (
        Field("settings.index.refresh_interval", "5s", "1m"),
        Field("settings.index.number_of_replicas", 0, 1, text=True),
        Field("settings.index.max_result_window", 5000, 6000, text=True),
        Field("settings.index.query.default_field", ["a"], ["a", "n"]),
        Field("settings.index.default_pipeline", "${ingest_pipeline/NAME.name}", "_none"),
        Field("settings.index.search.default_pipeline", "${search_pipeline/NAME.name}", "_none"),
        Field("settings.index.number_of_shards", 1, 2, text=True, anew=f"index.number_of_shards {MADE}",
              stays=f"index.number_of_shards stays as it is: it {MADE}"),
        Field("settings.index.codec", "default", "best_compression", anew=f"index.codec {MADE}",
              stays=f"index.codec stays as it is: it {MADE}"),
        Field("settings.index.analysis.filter.own", {"type": "stop", "stopwords": ["1e5"]},
              {"type": "stop", "stopwords": ["010", "no"]}, anew=MADE, stays=MADE),
        Field("mappings.dynamic", "strict", False, text=True),
        Field("mappings._meta", {"by": "one", "1": {"yes": [1]}}, {"by": "1e5"}),
        Field("mappings.date_detection", False, True),
        Field("mappings.numeric_detection", True, False),
        Field("mappings.dynamic_templates", [{"x": {"match": "x*", "mapping": {"type": "keyword"}}}],
              [{"x": {"match": "y*", "mapping": {"type": "keyword"}}}]),
        Field("mappings.dynamic_date_formats", ["yyyy"], ["yyyy", "dd"], anew="of a mapping is fixed"),
        Field("mappings._source", {"excludes": ["x"]}, {"excludes": ["y"]}, anew="of a mapping is fixed"),
        Field("mappings.properties.a", {"type": "keyword"}, {"type": "text"}, anew=f"type of the field a {FIXED}",
              stays="the field a stays in the mapping: OpenSearch can't take one away"),
        Field("mappings.properties.t.search_analyzer", "english", "simple"),
        Field("mappings.properties.t.meta", {"unit": "1"}, {"unit": "2"}),
        Field("mappings.properties.k.ignore_above", 10, 20, anew=f"ignore_above of the field k {FIXED}"),
        Field("mappings.properties.o.dynamic", False, "strict", text=True, anew="dynamic of the field o"),
        Field("aliases.NAME-more.filter", {"term": {"a": "x"}}, {"term": {"a": "1e5"}}),
        Field("aliases.NAME-more.is_write_index", True, False),
        Field("aliases.NAME-more.index_routing", "1", "2"),
        Field("aliases.NAME-more.search_routing", "1", "1e5"),
    ), {"mappings": {"properties": {"n": {"type": "long"}, "t": {"type": "text", "analyzer": "standard"},
                                    "k": {"type": "keyword"}, "o": {"properties": {"p": {"type": "long"}}}}}},
       {"ingest_pipeline/NAME": {"processors": []}, "search_pipeline/NAME": {"description": "none"}}),
    Kind("alias", (
        Field("indices[1].filter", {"term": {"n": 1}}, {"term": {"n": "1"}}, shown="indices.NAME-two-v1.filter"),
        Field("indices[1].is_write_index", True, False, shown="indices.NAME-two-v1.is_write_index"),
        Field("indices[1].index_routing", 1, 2, shown="indices.NAME-two-v1.index_routing", text=True),
        Field("indices[1].search_routing", 1, "1e5", shown="indices.NAME-two-v1.search_routing", text=True),
    ), {"indices": [{"index": "${index/NAME-one.name}"}, {"index": "${index/NAME-two.name}"}]},
       {f"index/NAME-{each}": MAPPING for each in ("one", "two")}),
)  # fmt: skip
