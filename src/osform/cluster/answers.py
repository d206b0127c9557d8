"""What the answers to writes mean: by type and reason, since the status alone says too little."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from osform.cluster.answer import MOST_WORDS
from osform.errors import REMOTE


class Verdict(Enum):
    """What is to be done with a document after the server answered."""

    DONE = "it is indexed"
    WAIT = "the cluster is busy or not ready: the same again, later"
    ALONE = "it may have suffered from its neighbours: by itself, once more"
    LOST = "it will never be taken as it is"
    STOP = "no document can be taken"


_PASSING = {
    "circuit_breaking_exception",
    "cluster_block_exception",  # a write block while an index is swapped, a disk that filled up
    "connect_transport_exception",
    "no_shard_available_action_exception",
    "node_closed_exception",
    "node_disconnected_exception",
    "node_not_connected_exception",
    "opensearch_rejected_execution_exception",
    "process_cluster_event_timeout_exception",
    "receive_timeout_transport_exception",
    "rejected_execution_exception",
    "unavailable_shards_exception",
}
_FINAL = {
    "document_parsing_exception",
    "json_parse_exception",
    "mapper_exception",
    "mapper_parsing_exception",
    "parsing_exception",
    "strict_dynamic_mapping_exception",
    "version_conflict_engine_exception",
    "x_content_parse_exception",
}
# ML Commons says these with HTTP 400, as if the document were wrong (ml-commons issue 2249, PR 1903).
_AWAY = re.compile(
    r"model (is )?not ready|not ready yet|not (been )?deployed|is deploying|no eligible node|no ml node|"
    r"no worker node|model is not in cache",
    re.IGNORECASE,
)
# The pipeline is gone, or its model (a 404, as for a document that is not there).
_MISSING = re.compile(r"pipeline with id \[[^\[\]]*\] does not exist|fail(ed)? to find model(?! chunk)", re.IGNORECASE)
_BUSY = re.compile(
    r"circuit breaker is open|rejected execution|too many requests|throttl|timed? ?out|connection reset|"
    r"node (dis|not )connected",
    re.IGNORECASE,
)
_ABOUT_THE_TEXT = {400, 413, 422}
# Some services say with HTTP 400 as well that they are busy (ml-commons issue 2249), in these words or those above. Too
# many tokens are those of the text.
_ASKED_TOO_MUCH = re.compile(
    r"too many (calls|connections)|too fast|slow down|rate.?(limit|exceeded)|quota|overload|capacity|concurren|"
    r"unavailable|try(ing)? again",
    re.IGNORECASE,
)


# An older text_embedding processor on a document that a newer one stores without a vector (neural-search PR 1668).
_BLANK = re.compile(r"map type field \[([^\[\]]+)\] has empty string value")


def model_is_away(reason: str) -> bool:
    """Whether an error's reason says that a model is not deployed, or not at work yet."""
    return bool(_AWAY.search(reason))


def classify(item: Mapping[str, Any]) -> Verdict:
    """What one item of a bulk answer means for its document.

    The status alone says too little: a model that isn't ready yet is a 400, like a document that can't be parsed.
    """
    status, error = int(item.get("status", 500)), item.get("error")
    if status < 300 and not error:
        return Verdict.DONE
    type, reason = _type(error), explain(item)
    if type in _FINAL:
        return Verdict.LOST  # before anything is read out of the reason, which may repeat what is in the document
    if type == "index_not_found_exception" or _MISSING.search(reason):
        return Verdict.STOP
    if type in _PASSING or status in {408, 429, 502, 503, 504}:
        return Verdict.WAIT
    if REMOTE in reason:
        told = status in _ABOUT_THE_TEXT and not (_ASKED_TOO_MUCH.search(reason) or _BUSY.search(reason))
        return Verdict.ALONE if told else Verdict.WAIT
    if status in {404, 409}:
        return Verdict.LOST
    if _AWAY.search(reason) or _BUSY.search(reason):
        return Verdict.WAIT
    return Verdict.ALONE


def explain(item: Mapping[str, Any]) -> str:
    """The server's own words for why an item failed: type and reason, and those of the causes below."""
    words: list[str] = []
    error, left = item.get("error"), MOST_WORDS
    while isinstance(error, dict) and left > 0:
        words.append(f"{_type(error)}: {error.get('reason')}"[:left])
        left -= len(words[-1])
        error = error.get("caused_by")
    return "; ".join(words) or str(error or f"HTTP {item.get('status')}")[:MOST_WORDS]


def blank_field(item: Mapping[str, Any]) -> str | None:
    """The field, by its last key, whose blank text an older OpenSearch refused; None where that wasn't the reason.

    Every document of the request is told so, not only the one that has it.
    """
    found = _BLANK.search(explain(item))
    return found[1] if found else None


def _type(error: Any) -> str:
    return str(error.get("type", "error")) if isinstance(error, dict) else "error"
