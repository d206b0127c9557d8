"""The page of the stack's state: nodes, models, pipelines, indices, and what drifted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from osform.cluster.client import Cluster, without_password
from osform.cluster.vitals import NodeVitals, vitals
from osform.core.diff import ABSENT
from osform.core.document import dotted
from osform.core.values import concealed
from osform.errors import InputError, OsformError
from osform.flows.drifting import Drift
from osform.flows.stack import Stack
from osform.flows.status import Row
from osform.ui.pages import Pages, Problem, problem_of
from osform.ui.values import Reply

if TYPE_CHECKING:
    from osform.ui.app import Settings

Found = TypeVar("Found")

_GROUPS = (
    ("Models", ("model",)),
    ("Pipelines", ("ingest_pipeline", "search_pipeline")),
    ("Indices", ("index", "alias")),
)
_MOST_DIFFERENCES = 50
_LONGEST = 300


def page(cluster: Cluster, settings: Settings, pages: Pages) -> Reply:
    """The page; a cluster that is gone and a folder without a stack are sentences on it."""
    seen, cluster_problem = _tried(lambda: vitals(cluster, deadline_seconds=5))
    rows: tuple[Row, ...] = ()
    drifted: tuple[Drift, ...] = ()
    stack, stack_problem = _tried(lambda: _stack(settings))
    if stack is not None and seen is not None:
        found, stack_problem = _tried(lambda: stack.overview(cluster))
        rows, drifted = found or ((), ())
    body = pages.render(
        "stack.html.j2", here="stack", url=without_password(cluster.url), cluster=seen,
        nodes=[_node(each) for each in seen.nodes] if seen else [], cluster_problem=cluster_problem,
        stack=stack.spec if stack else None, stack_problem=stack_problem, groups=_groups(rows),
        drift=[_drift(each) for each in drifted], looked=bool(rows),
    )  # fmt: skip
    return Reply(200 if seen else 502, body)


def _stack(settings: Settings) -> Stack:
    if not (settings.provision / "stack.yaml").exists():
        raise InputError(
            f"there is no stack here: {settings.provision}/stack.yaml is missing",
            hint="osform init makes one; osform ui --provision DIR shows another",
        )
    return settings.stack()


def _tried(look: Callable[[], Found]) -> tuple[Found | None, Problem | None]:
    try:
        return look(), None
    except OsformError as error:
        return None, problem_of(error)


def _node(each: NodeVitals) -> dict[str, Any]:
    free = f"{each.disk_free / 2**30:.1f} GB" if each.disk_free is not None else ""
    return {
        "name": each.node.name, "roles": ", ".join(each.node.roles), "version": each.version, "disk": free,
        "heap": _percent(each.heap_percent), "memory": _percent(each.memory_percent), "models": len(each.models),
    }  # fmt: skip


def _percent(value: int | None) -> str:
    return "" if value is None else f"{value} %"


def _groups(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    kinds = {kind: title for title, kinds in _GROUPS for kind in kinds}
    groups: dict[str, list[Row]] = {title: [] for title in (*dict(_GROUPS), "Everything else")}
    for row in rows:
        groups[kinds.get(row.address.kind, "Everything else")].append(row)
    return [(title, members) for title, members in groups.items() if members]


def _drift(drift: Drift) -> Mapping[str, Any]:
    differences = [
        {"path": dotted(each.path), "before": _shown(each.before), "after": _shown(each.after)}
        for each in drift.differences[:_MOST_DIFFERENCES]
    ]
    rest = len(drift.differences) - len(differences)
    return {"address": drift.address, "what": drift.what, "detail": drift.detail, "rows": differences, "rest": rest}


def _shown(value: Any) -> str:
    if value is ABSENT:
        return "nothing"
    text = json.dumps(concealed(value), ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
