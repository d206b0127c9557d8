"""JSON Schema of every file that a person writes, for editors that complete and check while one types.

What a kind's body may hold is asked of the kind itself: its ``KEYS``, and which types its ``check`` takes. So a new
kind has its schema without a line here. A schema can't know what other files say; ``osform validate`` does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from osform.core.models import FORMATS, PRECISIONS
from osform.files.checks import ChecksFile
from osform.files.models import ModelFile
from osform.files.policies import PolicyFile
from osform.files.stack import Options, StackFile
from osform.kinds import KINDS, Kind, checks
from osform.kinds.base import Context

Schema = dict[str, Any]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
_NAME = "^[A-Za-z_][A-Za-z0-9_]*$"
_SAMPLES: Mapping[str, Any] = {
    "object": {}, "array": [], "string": "x", "boolean": True, "integer": 1, "number": 1.5,
}  # fmt: skip
_REFERENCE: Schema = {
    "type": "string",
    "pattern": r"^\$\{[^}]+\}$",
    "description": "A reference: ${var.NAME}, ${env.NAME} or ${kind/name.output}.",
}
_VARIABLE: Schema = {
    "type": "string",
    "pattern": r"^\$\{var\.[^}]+\}$",
    "description": "A variable of the stack, whatever its value is: ${var.NAME}.",
}
_PROCESSORS: Schema = {
    "type": "array",
    "items": {
        "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": {"type": "object"},
        "description": "One key, the processor's type, with its options.",
    },
}  # fmt: skip
_FIELDS: Schema = {"type": "object", "additionalProperties": {"$ref": "#/$defs/field"}}
_FIELD: Schema = {
    "type": "object",
    "description": "A field of a mapping.",
    "anyOf": [{"required": ["type"]}, {"required": ["properties"]}],
    "properties": {
        "type": {"type": "string", "description": "keyword, text, long, date, knn_vector ..."},
        "dimension": {
            "anyOf": [{"type": "integer", "minimum": 1}, {"$ref": "#/$defs/reference"}],
            "description": "Numbers in a vector; ${model/NAME.dimension} can't disagree with its model.",
        },
        "method": {"type": "object", "description": "How vectors are indexed: name, engine, space_type, parameters."},
        "properties": {"$ref": "#/$defs/fields"},
        "fields": {"$ref": "#/$defs/fields"},
    },
    "if": {"properties": {"type": {"const": "knn_vector"}}, "required": ["type"]},
    "then": {"anyOf": [{"required": ["dimension"]}, {"required": ["model_id"]}]},
}
_MAPPINGS: Schema = {
    "type": "object",
    "description": "The mapping: which fields documents have.",
    "properties": {"properties": {"$ref": "#/$defs/fields"}},
}
_DEFS: Schema = {
    "reference": _REFERENCE,
    "variable": _VARIABLE,
    "field": _FIELD,
    "fields": _FIELDS,
    "mappings": _MAPPINGS,
}

# What is known of a key beyond its type, wherever it stands.
_KEYS: Mapping[str, Schema] = {
    "description": {"description": "Words for people."},
    "version": {"description": "A number of your own; OpenSearch does nothing with it."},
    "_meta": {"description": "Anything of your own; OpenSearch does nothing with it."},
    "processors": _PROCESSORS | {"description": "What is done to each document, in this order."},
    "on_failure": _PROCESSORS | {"description": "What is done where a processor fails."},
    "request_processors": _PROCESSORS | {"description": "What is done to each search request."},
    "response_processors": _PROCESSORS | {"description": "What is done to each answer."},
    "phase_results_processors": _PROCESSORS | {"description": "What is done between the phases of a search."},
    "settings": {"description": "Index settings, nested or dotted, with or without index. in front."},
    "mappings": {"$ref": "#/$defs/mappings"},
    "aliases": {"description": "More names of the index; the resource's own is there anyway."},
    "persistent": {"description": "Cluster settings that outlive a restart, nested or dotted."},
    "transient": {"description": "Cluster settings until the next full restart."},
    "template": {
        "description": "What new indices get: settings, mappings and aliases.",
        "properties": {"mappings": {"$ref": "#/$defs/mappings"}},
    },
    "index_patterns": {"description": "Names of the indices that the template is for, with * in them."},
    "composed_of": {"description": "Component templates, the later over the earlier."},
    "priority": {"description": "Of several templates that match, the highest counts."},
    "indices": {"description": "The indices behind the alias: ${index/NAME.name}, or index: and options."},
    "script": {"description": "The script: lang and source."},
    "format": {"enum": list(FORMATS), "description": "How the model is served: TorchScript or ONNX."},
    "precision": {"enum": list(PRECISIONS), "description": "Of the model's numbers."},
    "group": {"description": "The model group: ${model_group/NAME.model_group_id}."},
    "rate_limiter": {"description": "limit and unit: how many predictions in which time."},
    "backend_roles": {"description": "Who may use what is in the group."},
}
_OWN: Mapping[tuple[str, str], Schema] = {
    ("model", "model"): {"description": "A folder of models/."},
    ("model_group", "name"): {"description": "The group's name on the cluster; by default the file's."},
}
_OPTIONS = {
    "template": "A file below templates/; its rendered text is the body.",
    "values": "Values for the template.",
    "protect": "Never deleted or replaced without saying so twice.",
    "may_close": "Whether an index may be closed for a moment, for settings that can be changed only so.",
}
_STACK = {
    "name": "Lower-case letters, digits and -; the ledger knows the stack's objects by it.",
    "description": "Words for people.",
    "variables": "The stack's variables and their defaults; null has to be given a value elsewhere.",
    "moved": "Renamed resources: old address to new.",
    "bundles": "A folder or URL with finished model bundles.",
    "history": "How long the records of runs are kept, for osform history: 30d, 365d.",
    "retention": "How long an index that was replaced is kept for a rollback: 30m, 12h, 7d.",
}
_MODEL = {
    "source": "Where the weights are: huggingface with a revision, path, or package.",
    "exports": "Which formats and precisions are made.",
    "tolerance": "By precision: least and mean cosine to the source, and recall@10 on the corpus, at least.",
    "corpus": "A file of texts, one a line; by default docstrings of Python's standard library.",
    "int8": "How 8 bits are made: keep, smooth, reduce_range.",
    "pooling": "How vectors of tokens become one; by default what the source says.",
    "normalize": "Whether vectors have length 1; by default what the source says.",
    "max_length": "Tokens that are read of a text.",
    "space_type": "How vectors are compared.",
    "function_name": "What the model does: text_embedding, text_similarity (a cross-encoder) or sparse_encoding.",
    "projection": "Fewer dimensions: a Dense layer, fitted once and kept in projection.safetensors.",
}
_CHECKS = {
    "mode": "By words, by meaning or both, where questions don't say. By default what the index has.",
    "field": "The text or vector field to search where questions don't say.",
    "thresholds": "How good the answers must be at least, and how slow at most.",
    "worse_by": "How far a new index may lie behind the one that it replaces.",
    "queries": "The questions, and the documents that answer them.",
}
_POLICY = {
    "description": "Words for who is refused: why, and whom to ask.",
    "environments": "Names of environments, with * in them; all of them by default.",
    "resources": "Addresses with * in them: index/*.",
    "require": "By path in the body: what each of these resources must have.",
    "refuse": "Which changes a plan may not have.",
}
_QUERY = {
    "query": "The question.",
    "image": "A picture to find others like: a path from this file, or an address; with query or without.",
    "expect": "Ids of documents that must be among the first hits.",
    "within": "Among how many first hits; 10 by default.",
    "judged": "Grades by document id: 0 is no answer, more is better.",
    "mode": "lexical, semantic, hybrid or picture.",
    "field": "The text or vector field to search.",
    "filter": "A query that a document must match as well, e.g. {term: {colour: red}}.",
}
_LIMITS = {
    "ndcg_at_10": "nDCG of the first 10 hits, 0 to 1.",
    "recall_at_10": "The share of the documents that answer which is among the first 10 hits.",
    "success": "The share of queries with expect that are answered as expected; 1 by default.",
    "median_ms": "The median of what searches take on the server, in milliseconds.",
    "p95_ms": "What 95 of 100 searches take at most, in milliseconds.",
}


def names() -> tuple[str, ...]:
    """The schemas that there are: of the files beside resources, then of every kind."""
    return ("stack", "environment", "checks", "policy", "packaged_model", *KINDS)


def schema(name: str) -> Schema:
    """One of ``names``; KeyError for another."""
    match name:
        case "stack":
            return _stack()
        case "environment":
            return _environment()
        case "checks":
            return _checks()
        case "policy":
            body = _described(PolicyFile.model_json_schema(), _POLICY)
            return _headed(body, "provision/policies/NAME.yaml", "A rule over what is asked and what a plan may do.")
        case "packaged_model":
            return _headed(_described(ModelFile.model_json_schema(), _MODEL), "models/NAME/model.yaml", "A model.")
        case _:
            return _kind(name, KINDS[name])


def _headed(body: Schema, title: str, description: str) -> Schema:
    return {"$schema": DRAFT, **body, "title": title, "description": description}


def _described(body: Schema, words: Mapping[str, str]) -> Schema:
    return body | {
        "properties": {
            key: {part: value for part, value in inner.items() if part != "title"} | {"description": words.get(key, "")}
            for key, inner in body["properties"].items()
        }
    }


def _stack() -> Schema:
    body = _described(StackFile.model_json_schema(), _STACK)
    body["properties"]["name"]["pattern"] = "^[a-z0-9][a-z0-9-]{0,62}$"
    body["properties"]["variables"]["propertyNames"] = {"pattern": _NAME}
    address = f"^({'|'.join(KINDS)})/[A-Za-z0-9][A-Za-z0-9._-]*$"
    body["properties"]["moved"] |= {"propertyNames": {"pattern": address}}
    body["properties"]["moved"]["additionalProperties"] = {"type": "string", "pattern": address}
    return _headed(body, "provision/stack.yaml", "The stack's name, its variables and their defaults.")


def _environment() -> Schema:
    body = {"type": "object", "propertyNames": {"pattern": _NAME}, "additionalProperties": True}
    title = "provision/environments/NAME.yaml"
    return _headed(body, title, "Values of the stack's variables in one environment; stack.yaml declares them.")


def _checks() -> Schema:
    body = ChecksFile.model_json_schema()
    inner = {"QueryEntry": _QUERY, "Limits": _LIMITS}
    defs = {name: _open(_described(body["$defs"][name], words)) for name, words in inner.items()}
    body = _open(_described(body, _CHECKS)) | {"$defs": {**defs, "variable": _VARIABLE}}
    return _headed(body, "provision/checks/INDEX.yaml", "What an index must find, and how fast: osform evaluate.")


def _open(body: Schema) -> Schema:
    """The schema of an object with a variable in place of any of its values, and nothing in place of none of them."""
    properties = {}
    for key, value in body["properties"].items():
        kept = {part: inner for part, inner in value.items() if part not in ("default", "description", "anyOf")}
        taken = [each for each in value.get("anyOf", [kept]) if each.get("type") != "null"]
        properties[key] = {"anyOf": [*taken, {"$ref": "#/$defs/variable"}], "description": value["description"]}
    return {part: inner for part, inner in body.items() if part != "title"} | {"properties": properties}


def _kind(name: str, kind: Kind) -> Schema:
    properties = {key: _key(name, kind, key) for key in sorted(kind.KEYS)}
    options = _described(Options.model_json_schema(), _OPTIONS)
    options["properties"]["template"] = {"type": "string", "description": _OPTIONS["template"]}
    options["dependentRequired"] = {"values": ["template"]}
    options.pop("title", None)
    body: Schema = {
        "type": "object",
        "properties": {**properties, "osform": options | {"description": "osform's own keys; none of them is sent."}},
        "additionalProperties": False,
        "if": {"properties": {"osform": {"required": ["template"]}}, "required": ["osform"]},
        "then": {"propertyNames": {"const": "osform"}},
        "else": {"required": _required(kind)},
        "$defs": _DEFS,
    }
    title = f"provision/{name}/NAME.yaml"
    return _headed(body, title, f"{checks.a(name).capitalize()}: the API's body, and osform's keys under osform.")


def _required(kind: Kind) -> list[str]:
    said = (
        re.fullmatch(r"'(\w+)' is missing", each.message) for each in kind.check("n", {}, Context()) if not each.path
    )
    return sorted(match[1] for match in said if match)


def _key(name: str, kind: Kind, key: str) -> Schema:
    """What may stand at a key: the types that the kind's own check takes, or a reference in place of any of them."""
    types = [word for word, sample in _SAMPLES.items() if not _refused(kind, key, sample)]
    more = {**_KEYS.get(key, {}), **_OWN.get((name, key), {})}
    if len(types) == len(_SAMPLES) and "enum" not in more:
        return more
    # A check that finds something else missing first says nothing of types: then a list of words is all there is.
    taken = {"type": types[0] if len(types) == 1 else types} if len(types) < len(_SAMPLES) else {}
    known = taken | {word: value for word, value in more.items() if word != "description"}
    said = {"description": more["description"]} if "description" in more else {}
    if "string" in types and "enum" not in more:
        return known | said
    single = {"string", "boolean", "integer", "number"} & set(types)
    return {"anyOf": [known, {"$ref": f"#/$defs/{'reference' if single else 'variable'}"}]} | said


def _refused(kind: Kind, key: str, sample: Any) -> bool:
    wrong = f"{checks.described(sample)}, expected"
    return any(
        each.path == (key,) and each.message.startswith(wrong) for each in kind.check("n", {key: sample}, Context())
    )
