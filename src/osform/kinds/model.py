"""Models: deployed, and asked whether they answer.

Those that osform packages are uploaded once, and must answer as their export did. Others the server fetches itself, or
they run elsewhere, behind a connector.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from osform.core.diff import ABSENT, Difference, differences, missing
from osform.core.models import FORMATS, PRECISIONS, Bundle, ModelLock
from osform.core.request import Request
from osform.kinds import checks, ml, model_sources, settings
from osform.kinds.base import (
    AskModel,
    Body,
    Context,
    DeployModel,
    Finding,
    Last,
    Live,
    ProbeModel,
    RegisterModel,
    RegisterThere,
    RemoveModel,
    Send,
    Step,
    UndeployModel,
    Wanted,
)
from osform.kinds.defaults import expendable, needs  # noqa: F401 - parts of the kind
from osform.kinds.unasked import put_back

KIND = "model"
KEPT = frozenset({"name", "description", "rate_limiter", "is_enabled", "interface", "guardrails"})
"""Fields of the register API that pass through, and that can be changed afterwards."""
KEYS = KEPT | model_sources.KEYS | {"group"}
OUTPUTS = frozenset({"model_id", "dimension", "max_length", "space_type", "sha256"})
PASSED: frozenset[str] = frozenset()
EVENTUAL = True
ASTRAY = ("answers otherwise", "gives no answer")
"""How ``deployed`` begins where nodes serve the model and what they serve is not what was exported."""
# States after which all bytes are known to be there.
_WHOLE = re.compile(r"UNDEPLOYED|PARTIALLY_DEPLOYED|on |answers otherwise|gives no answer")
DEFAULT_PRECISION = "fp32"

_FIXED = (
    "connector_id",
    "model_format",
    "model_group_id",
    "model_content_hash_value",
    "model_content_size_in_bytes",
    "model_config",
)


_IDENTITY = ("name", "model_group_id", "model_content_hash_value", "connector_id")
MENDED = frozenset({"model_config"})
"""What makes it another model when the files say so, and is put back when somebody changed it by hand."""
_CHANGEABLE = KEPT | model_sources.FREE | {"deployed"}


def check(name: str, body: Body, context: Context) -> Iterator[Finding]:
    """Where the model comes from, its group, and that the lock has what is asked."""
    yield from checks.required(body, ("group",))
    types = {"precision": str, "group": str, "name": str, "description": str}
    yield from checks.typed(body, types | {"rate_limiter": dict, "is_enabled": bool, "interface": dict})
    yield from model_sources.check(body)
    precision = body.get("precision")
    if isinstance(precision, str) and precision not in PRECISIONS:
        yield Finding(("precision",), f"{precision!r}, expected {' or '.join(PRECISIONS)}", "write one of these")
    interface = body.get("interface")
    for part, schema in interface.items() if isinstance(interface, dict) else ():
        if not isinstance(schema, dict) and not _is_json(schema):
            message = f"{checks.described(schema)}, expected a JSON schema"
            yield Finding(("interface", part), message, "write it as a mapping, or as JSON in quotes")
    if isinstance(body.get("model"), str):
        yield from _check_lock(body, context)


def _is_json(schema: Any) -> bool:
    try:
        json.loads(schema)
    except (TypeError, ValueError):
        return False
    return True


def _check_lock(body: Body, context: Context) -> Iterator[Finding]:
    model = body["model"]
    packaged = context.models.get(model)
    if model in context.unreadable:
        return  # that nothing is known of it would be the same mistake once more
    if packaged is None:
        yield Finding(("model",), f"there is no models/{model}", checks.nearest(model, context.models))
    elif packaged.lock is None:
        yield Finding(("model",), f"{model} has no lock.yaml: it was never exported", f"osform model export {model}")
    elif body.get("format") in FORMATS and _bundle(packaged.lock, body) is None:
        there = ", ".join(f"{bundle.format} {bundle.precision}" for bundle in packaged.lock.bundles)
        asked = f"{body['format']} {body.get('precision', DEFAULT_PRECISION)}"
        yield Finding(
            ("format",),
            f"{asked} of {model} was never exported; there is {there}",
            f"write one that is there, or export it: osform model export {model}",
        )


def _bundle(lock: ModelLock, body: Body) -> Bundle | None:
    return lock.bundle(body.get("format", ""), body.get("precision", DEFAULT_PRECISION))


def expand(name: str, body: Body, context: Context) -> Body:
    """The fields of the register API, from the model's lock or the body itself; and that it is deployed."""
    kept = _kept(body) | {"model_group_id": body["group"], "deployed": True}
    if model_sources.source_of(body) != "model":
        return model_sources.asked(name, body, _config(body.get("model_config", {}))) | kept
    lock = context.models[body["model"]].lock
    bundle = _bundle(lock, body) if lock else None
    assert lock is not None, "check() has looked for it"
    assert bundle is not None, "check() has looked for it"
    return {
        "name": name,
        "model": lock.name,
        "function_name": bundle.function_name,
        "model_format": bundle.model_format,
        "model_content_hash_value": bundle.sha256,
        "model_content_size_in_bytes": bundle.bytes,
        # A sparse encoder has none.
        **({"model_config": _config(bundle.model_config)} if bundle.model_config else {}),
    } | kept


def _kept(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that pass through, as the server gives them back: a limit as text, an interface as JSON text."""
    kept = {key: fields[key] for key in sorted(KEPT) if fields.get(key) is not None}
    if isinstance(kept.get("rate_limiter"), dict):
        kept["rate_limiter"] = {key: settings.text(value) for key, value in kept["rate_limiter"].items()}
    if isinstance(kept.get("interface"), dict):
        kept["interface"] = {
            key: json.loads(value) if isinstance(value, str) else value for key, value in kept["interface"].items()
        }
    return kept


def _config(config: Mapping[str, Any]) -> dict[str, Any]:
    """A model_config as the server gives it back: enumerations in capitals, and no switch that is off."""
    cases = {"framework_type": str.upper, "pooling_mode": str.upper}
    on = {key: value for key, value in config.items() if value is not False}
    return {key: cases[key](value) if key in cases and isinstance(value, str) else value for key, value in on.items()}


def known(name: str, body: Body, context: Context) -> Mapping[str, Any]:
    """What the lock promises of the vectors, or the body itself."""
    if model_sources.source_of(body) != "model":
        return model_sources.promised(body)
    packaged = context.models.get(body.get("model", ""))
    lock = packaged.lock if packaged else None
    if lock is None:
        return {}
    bundle = _bundle(lock, body)
    promised: dict[str, Any] = {"max_length": lock.max_length, "function_name": lock.function_name}
    if lock.function_name == "TEXT_EMBEDDING":
        promised |= {"dimension": lock.dimension, "space_type": lock.space_type, "spaces": lock.spaces}
    return promised | ({"sha256": bundle.sha256} if bundle else {})


def reads(wanted: Mapping[str, Wanted]) -> Sequence[Request]:
    """All models without their chunks, and which of them the nodes hold."""
    return [ml.all_models(size=10_000), ml.profile()]


def found(answers: Sequence[Any], wanted: Mapping[str, Wanted]) -> Mapping[str, Live]:
    """By the id that the ledger remembers, or the tag; a model that it doesn't know is somebody else's."""
    models = {hit["_id"]: hit["_source"] for hit in (answers[0] or {}).get("hits", {}).get("hits", [])}
    serving = _serving(answers[1])
    live: dict[str, Live] = {}
    for name, want in wanted.items():
        made = sorted(ml.made_by(want.ids, models), key=lambda key: (_number(models[key]), key))
        model_id = want.ids.get("model_id")
        if model_id not in models:
            model_id = next(iter(made), None)
        if model_id is None and "model_id" not in want.ids and want.adopt is not None:
            model_id = _alike(want.asked, {key: models[key] for key in models if key not in want.adopt})
        if model_id is not None:
            nodes = serving.get(model_id, frozenset())
            echoed = {key: want.asked[key] for key in model_sources.ECHOED if key in want.asked}
            body, strays = _body(models[model_id], bool(nodes)) | echoed, tuple(key for key in made if key != model_id)
            live[name] = Live(body, {"model_id": model_id}, nodes=nodes, strays=strays)
    return live


def _alike(asked: Body, models: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The id of the model with the same bytes, name and group; of several the deployed one, then the latest."""
    keys = [key for key in _IDENTITY if key in asked]
    same = [key for key in models if all(models[key].get(each) == asked[each] for each in keys)]
    ranked = sorted(same, key=lambda key: (models[key].get("model_state") == "DEPLOYED", _number(models[key]), key))
    return ranked[-1] if ranked else None


def _number(source: Mapping[str, Any]) -> int:
    version = str(source.get("model_version", ""))
    return int(version) if version.isdigit() else 0


def _serving(profile: Any) -> dict[str, frozenset[str]]:
    nodes: dict[str, frozenset[str]] = {}
    for node_id, node in ((profile or {}).get("nodes") or {}).items():
        for model_id, model in (node.get("models") or {}).items():
            if model.get("model_state") == "DEPLOYED":
                nodes[model_id] = nodes.get(model_id, frozenset()) | {node_id}
    return nodes


def _body(source: Mapping[str, Any], served: bool) -> dict[str, Any]:
    body = _kept(source) | {key: source[key] for key in _FIXED if source.get(key) is not None}
    body["function_name"] = source.get("algorithm")
    if source.get("model_config"):
        body["model_config"] = _config(source["model_config"])
    state = source.get("model_state")
    if served and state in ("REGISTERED", "DEPLOYING", "UNDEPLOYED"):
        state = "DEPLOYED"  # a second ago: a search sees a write a moment later than the nodes do
    body["deployed"] = state if state != "DEPLOYED" else True if served else "on no node"
    return body


def drift(recorded: Body, live: Body) -> tuple[Difference, ...]:
    """Any field that is otherwise now, of those that the server keeps: the others only the files can change."""
    return differences(
        *({key: value for key, value in body.items() if key not in model_sources.ECHOED} for body in (recorded, live))
    )


def refusal(changed: Sequence[Difference], live: Live) -> str | None:
    """The bytes, the format and the group of a registered model are fixed."""
    fixed = sorted({str(d.path[0]) for d in changed if d.path and d.path[0] not in _CHANGEABLE})
    if not fixed:
        return None
    return f"another {', '.join(fixed)} makes it another model, and vectors made by the old one would not fit"


def remarks(changed: Sequence[Difference]) -> Sequence[str]:
    """What stays although the files no longer ask for it."""
    left = KEPT - ml.BLANK.keys()
    gone = sorted({str(d.path[0]) for d in changed if d.after is ABSENT and d.path[0] in left})
    return [f"{key} stays: OpenSearch can't take it away from a model" for key in gone]


def create(name: str, asked: Body, ids: Mapping[str, str]) -> Sequence[Step]:
    """Upload, deploy, and compare its vectors with those of the export; or have the server bring it, and ask it.

    One that is to be disabled answers nobody.
    """
    ours = {"deployed", "model", "pretrained", "probe"}
    meta = {key: value for key, value in asked.items() if key not in ours}
    if "model" in asked:
        register: Step = RegisterModel(meta, asked["model_content_hash_value"], asked["model"])
        probe: Step | None = ProbeModel(asked["model"], asked["model_content_hash_value"])
    else:
        register, probe = RegisterThere(meta), AskModel(asked["probe"]) if "probe" in asked else None
    return [register, DeployModel(), *([probe] if probe and asked.get("is_enabled") is not False else [])]


def update(name: str, asked: Body, live: Live, last: Last) -> Sequence[Step]:
    """Set the fields that differ, go on with a cut-off upload, deploy where it isn't served, and ask it again."""
    register, *rest = create(name, asked, live.ids)
    fields = {key: asked[key] for key in sorted(KEPT & asked.keys()) if asked[key] != live.body.get(key)}
    fields |= put_back(asked, live.body, last, KEPT, ml.BLANK)
    deployed = live.body["deployed"]
    steps: list[Step] = [] if deployed is True or _WHOLE.match(str(deployed)) else [register]
    if ml.tagged(live.body.get("description")):
        fields = {"description": "", **fields}
    if missing(asked.get("model_config", {}), live.body.get("model_config", {})):
        fields["model_config"] = asked["model_config"]
    if "model_config" in fields or str(deployed).startswith(ASTRAY):
        # A node that has the model does not load it again, whatever else it is told.
        steps.append(UndeployModel())
    if fields:
        steps.append(Send(ml.put_model(live.ids["model_id"], fields)))
    return steps + rest


def delete(name: str, live: Live) -> Sequence[Step]:
    """Undeploy, then delete."""
    return [RemoveModel(live.ids["model_id"])]


def outputs(name: str, live: Live) -> Mapping[str, Any]:
    """The id."""
    return dict(live.ids)
