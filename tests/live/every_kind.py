"""A resource of each kind with an edit of each of its fields, for the tests that take every kind through its life."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Edit:
    """One text of the file replaced, and the paths at which the plan must then show a difference."""

    old: str
    new: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """A resource, its edits, and the other files that it needs. NAME stands for a name of the test's own."""

    address: str
    text: str
    edits: tuple[Edit, ...]
    beside: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.address.partition("/")[0]


_INDEX = "mappings: {properties: {a: {type: keyword}, n: {type: long}}}\n"
TRUST = (
    "persistent:\n"
    "  plugins.ml_commons.trusted_connector_endpoints_regex: ['^http://127\\.0\\.0\\.1:.*$']\n"
    "  plugins.ml_commons.connector.private_ip_enabled: true\n"
)
"""Lets connectors speak to this machine."""
CONNECTOR = (
    "name: NAME\ndescription: one\nversion: 1\nprotocol: http\nparameters: {model: m, n: 3}\n"
    "credential: {key: '${env.KEY}'}\n"
    "client_config: {max_connection: 10}\n"
    "actions:\n"
    "- action_type: predict\n"
    "  method: POST\n"
    "  url: http://127.0.0.1:9/embed\n"
    "  headers: {Authorization: 'Bearer ${credential.key}'}\n"
    '  request_body: \'{"input": ${parameters.input}, "model": "${parameters.model}"}\'\n'
    "  pre_process_function: connector.pre_process.openai.embedding\n"
    "  post_process_function: connector.post_process.openai.embedding\n"
)
REMOTE = "connector: ${connector/NAME.connector_id}\ngroup: ${model_group/NAME.model_group_id}\ndescription: one\n"

CASES = (
    Case(
        "cluster_settings/NAME",
        "persistent:\n  cluster.routing.allocation.node_concurrent_recoveries: 3\n  search.max_buckets: 60000\n",
        (
            Edit("recoveries: 3", "recoveries: 4", (
                "persistent.cluster.routing.allocation.node_concurrent_recoveries",
            )),
            Edit("  search.max_buckets: 60000\n", "", ("persistent.search.max_buckets",)),
        ),
    ),
    Case(
        "model_group/NAME",
        "name: NAME-group\ndescription: one\n",
        (
            Edit("one", "two", ("description",)),
            Edit("NAME-group", "NAME-other", ("name",)),
            Edit("description: two\n", "", ("description",)),
        ),
    ),
    Case(
        "connector/NAME",
        CONNECTOR,
        (
            Edit("one", "two", ("description",)),
            Edit("version: 1", "version: 2", ("version",)),
            Edit("model: m,", "model: other,", ("parameters.model",)),
            Edit(", n: 3}", "}", ("parameters.n",)),
            Edit("max_connection: 10", "max_connection: 20", ("client_config.max_connection",)),
            Edit("/embed", "/vectors", ("actions[0].url",)),
            Edit("  pre_process_function: connector.pre_process.openai.embedding\n", "", (
                "actions[0].pre_process_function",
            )),
            Edit("key: '${env.KEY}'", "key: 'my ${env.KEY}'", ("credential.key",)),
        ),
        {"cluster_settings/NAME": TRUST},
    ),
    Case(
        "model/NAME",
        REMOTE,
        (
            Edit("one", "two", ("description",)),
            Edit("description: two", "description: two\nname: NAME-other", ("name",)),
            Edit("description: two", "rate_limiter: {limit: 4, unit: MINUTES}", (
                "description", "rate_limiter.limit", "rate_limiter.unit",
            )),
        ),
        {"cluster_settings/NAME": TRUST, "connector/NAME": CONNECTOR, "model_group/NAME": "description: a test\n"},
    ),
    Case(
        "ingest_pipeline/NAME",
        "description: one\nversion: 1\nprocessors:\n- set: {field: a, value: 1}\n"
        "on_failure:\n- set: {field: b, value: 1}\n",
        (
            Edit("one", "two", ("description",)),
            Edit("version: 1", "version: 2", ("version",)),
            Edit("{field: a, value: 1}", "{field: a, value: 2}", ("processors[0].set.value",)),
            Edit("{field: b, value: 1}", "{field: c, value: 1}", ("on_failure[0].set.field",)),
        ),
    ),
    Case(
        "search_pipeline/NAME",
        "description: one\nversion: 1\nrequest_processors:\n- neural_query_enricher: {default_model_id: x}\n"
        "response_processors:\n- rerank: {by_field: {target_field: b}}\n"
        "phase_results_processors:\n- normalization-processor: {normalization: {technique: min_max}}\n",
        (
            Edit("one", "two", ("description",)),
            Edit("version: 1", "version: 2", ("version",)),
            Edit("model_id: x", "model_id: y", ("request_processors[0].neural_query_enricher.default_model_id",)),
            Edit("target_field: b", "target_field: c", ("response_processors[0].rerank.by_field.target_field",)),
            Edit("min_max", "l2", ("phase_results_processors[0].normalization-processor.normalization.technique",)),
        ),
    ),
    Case(
        "stored_script/NAME",
        "script:\n  lang: mustache\n  source: {query: {match: {a: '{{q}}'}}, size: 3}\n",
        (
            Edit("size: 3", "size: 4", ("script.source",)),
            Edit("lang: mustache\n  source: {query: {match: {a: '{{q}}'}}, size: 4}", "lang: painless\n  source: 1 + 1",
                 ("script.lang", "script.source")),
        ),
    ),
    Case(
        "component_template/NAME",
        "version: 1\n_meta: {by: one}\ntemplate:\n"
        "  settings: {number_of_shards: 1, index: {refresh_interval: 5s}}\n"
        "  mappings: {dynamic: false, properties: {a: {type: text, fields: {k: {type: keyword}}}}}\n"
        "  aliases: {NAME-one: {routing: 1}}\n",
        (
            Edit("version: 1", "version: 2", ("version",)),
            Edit("by: one", "by: two", ("_meta.by",)),
            Edit("number_of_shards: 1", "number_of_shards: 2", ("template.settings.index.number_of_shards",)),
            Edit("type: text", "type: text, analyzer: english", ("template.mappings.properties.a.analyzer",)),
            Edit("dynamic: false", "dynamic: strict", ("template.mappings.dynamic",)),
            Edit("{routing: 1}", "{filter: {term: {a: 1}}}", (
                "template.aliases.NAME-one.filter.term.a", "template.aliases.NAME-one.index_routing",
                "template.aliases.NAME-one.search_routing",
            )),
        ),
    ),
    Case(
        "index_template/NAME",
        "index_patterns: [NAME-a-*]\npriority: 5\nversion: 1\n_meta: {by: one}\ncomposed_of: [NAME-part]\n"
        "template:\n  settings: {number_of_replicas: 0}\n  mappings: {properties: {a: {type: keyword}}}\n",
        (
            Edit("[NAME-a-*]", "[NAME-a-*, NAME-b-*]", ("index_patterns[1]",)),
            Edit("priority: 5", "priority: 6", ("priority",)),
            Edit("version: 1\n", "", ("version",)),
            Edit("by: one", "by: two", ("_meta.by",)),
            Edit("composed_of: [NAME-part]", "composed_of: []", ("composed_of[0]",)),
            Edit("replicas: 0", "replicas: 1", ("template.settings.index.number_of_replicas",)),
            Edit("type: keyword", "type: long", ("template.mappings.properties.a.type",)),
        ),
        {"component_template/NAME-part": "template: {settings: {number_of_shards: 1}}\n"},
    ),
    Case(
        "index/NAME",
        "settings: {index: {refresh_interval: 5s}}\naliases: {NAME-more: {filter: {term: {a: x}}}}\n" + _INDEX,
        (
            Edit("5s", "6s", ("settings.index.refresh_interval",)),
            Edit("a: x", "a: y", ("aliases.NAME-more.filter.term.a",)),
            Edit("{filter: {term: {a: y}}}", "{routing: 2}", (
                "aliases.NAME-more.filter.term.a", "aliases.NAME-more.index_routing",
                "aliases.NAME-more.search_routing",
            )),
            Edit("n: {type: long}", "n: {type: long}, m: {type: text}", ("mappings.properties.m.type",)),
            Edit("properties: {a", "_meta: {by: one}, properties: {a", ("mappings._meta.by",)),
        ),
    ),
    Case(
        "alias/NAME",
        "indices:\n- ${index/NAME-one.name}\n"
        "- {index: '${index/NAME-two.name}', is_write_index: true, filter: {term: {n: 1}}}\n",
        (
            Edit("n: 1", "n: 2", ("indices.NAME-two-v1.filter.term.n",)),
            Edit("is_write_index: true, ", "routing: 1, ", (
                "indices.NAME-two-v1.index_routing", "indices.NAME-two-v1.is_write_index",
                "indices.NAME-two-v1.search_routing",
            )),
            Edit("- ${index/NAME-one.name}\n", "- ${index/NAME-three.name}\n", (
                "indices.NAME-one-v1", "indices.NAME-three-v1",
            )),
        ),
        {f"index/NAME-{number}": _INDEX for number in ("one", "two", "three")},
    ),
)  # fmt: skip
