"""The write block of an index, and what is done while it lasts: cloning it, moving its aliases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from osform.cluster.client import Cluster
from osform.cluster.retry import Patience, persist, persist_if_there
from osform.core.request import Request
from osform.errors import NotReady, RequestFailed

_SETTING = "index.blocks.write"
_CLONED = "index.resize.source.name"


def is_blocked(cluster: Cluster, index: str, patience: Patience | None = None) -> bool:
    """Whether writes to an index are refused."""
    request = Request("GET", f"/{quote(index)}/_settings/{_SETTING}", params={"flat_settings": "true"})
    answer = persist_if_there(cluster, request, patience or Patience.of(60)) or {}
    return any(each.get("settings", {}).get(_SETTING) == "true" for each in answer.values())


def serves(cluster: Cluster, alias: str, index: str, patience: Patience | None = None) -> bool:
    """Whether an alias is on this index."""
    answer = persist_if_there(cluster, Request("GET", f"/_alias/{quote(alias)}"), patience or Patience.of(60))
    return index in (answer or {})


def block(cluster: Cluster, index: str, patience: Patience | None = None) -> None:
    """Refuse writes from now on, and wait for those under way: none is acknowledged after this returns."""
    answer = persist(cluster, Request("PUT", f"/{quote(index)}/_block/write"), patience or Patience.of(60), longest=30)
    if not answer.get("shards_acknowledged"):
        raise NotReady(f"{index}: not every shard took the write block", hint="osform apply goes on from here")


def unblock(cluster: Cluster, index: str, patience: Patience | None = None) -> None:
    """Let writes in again."""
    request = Request("PUT", f"/{quote(index)}/_settings", {_SETTING: None})
    persist(cluster, request, patience or Patience.of(60), longest=30)


def clone_index(
    cluster: Cluster, source: str, target: str, settings: Mapping[str, Any], patience: Patience | None = None
) -> None:
    """Have the blocked ``source`` a second time under another name, by hard links, and wait until it is there.

    ``settings``, with dotted keys, stand in place of the source's own. Raises NotReady where the clone's shards find no
    place: it is acknowledged all the same, and its documents are only in the source until they do.
    """
    patience = patience or Patience.of(60)
    path, body = f"/{quote(source)}/_clone/{quote(target)}", {"settings": dict(settings)} if settings else {}
    request = Request("PUT", path, body, {"wait_for_active_shards": "1"})
    try:
        persist(cluster, request, patience, longest=30)
    except RequestFailed as error:
        # An answer was lost, or somebody else's index has the name: then the source must not go.
        if error.type != "resource_already_exists_exception" or not _is_clone(cluster, source, target, patience):
            raise
    try:
        _wait_for(cluster, target, patience)
    except RequestFailed as error:
        if error.status != 408:
            raise
        raise NotReady(
            f"{target}, the clone of {source} that is to be kept, has shards that no node takes",
            hint="GET /_cluster/allocation/explain says why, a disk that is 85 % full perhaps; then osform apply again",
        ) from error


def drop_clone(cluster: Cluster, source: str, target: str, patience: Patience | None = None) -> bool:
    """Delete ``target`` if it is a clone of ``source``, and say so: one of an attempt before lacks what came since."""
    patience = patience or Patience.of(60)
    if not _is_clone(cluster, source, target, patience):
        return False
    persist_if_there(cluster, Request("DELETE", f"/{quote(target)}"), patience)
    return True


def _is_clone(cluster: Cluster, source: str, target: str, patience: Patience) -> bool:
    request = Request("GET", f"/{quote(target)}/_settings/{_CLONED}", params={"flat_settings": "true"})
    answer = persist_if_there(cluster, request, patience) or {}
    return bool(answer.get(target, {}).get("settings", {}).get(_CLONED) == source)


def move_aliases(cluster: Cluster, actions: Sequence[Mapping[str, Any]], patience: Patience | None = None) -> None:
    """All of it in one request, so that no search finds an alias missing; harmless to repeat."""
    try:
        request = Request("POST", "/_aliases", {"actions": list(actions)})
        persist(cluster, request, patience or Patience.of(60))
    except RequestFailed as error:
        removed = [each["remove_index"]["index"] for each in actions if "remove_index" in each]
        # The answer was lost, and the index that went is not there to go once more.
        if (
            error.status != 404
            or not removed
            or persist_if_there(cluster, Request("GET", f"/_alias/{quote(removed[0])}"), patience or Patience.of(60))
            is None
        ):
            raise


def send_closed(cluster: Cluster, index: str, request: Request, patience: Patience) -> None:
    """Close an index, send what it takes only then, and open it again, whatever came of that."""
    path = f"/{quote(index)}"
    persist(cluster, Request("POST", f"{path}/_close"), patience, longest=30)
    try:
        persist(cluster, request, patience)
    finally:
        open_index(cluster, index, Patience.of(60, patience.clock, patience.sleep))


def open_index(cluster: Cluster, index: str, patience: Patience) -> None:
    """Open an index, and wait until it answers; harmless where it is open."""
    persist(cluster, Request("POST", f"/{quote(index)}/_open"), patience, longest=30)
    _wait_for(cluster, index, patience)


def _wait_for(cluster: Cluster, index: str, patience: Patience) -> None:
    """Wait until each shard of an index has its primary; the answer that some have not is a 408."""
    health = Request("GET", f"/_cluster/health/{quote(index)}", params={"wait_for_status": "yellow", "timeout": "30s"})
    persist(cluster, health, patience, longest=40)
