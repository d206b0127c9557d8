"""Making a model group exactly once, although only the server's answer tells its id."""

from __future__ import annotations

import time

from osform.cluster.client import Cluster
from osform.cluster.retry import Clock, Patience, Sleep, passes, persist_if_there
from osform.core.events import Note, Report
from osform.core.request import Request
from osform.errors import RequestFailed, Unreachable
from osform.kinds import ml

# A search sees a group after the next refresh of the server's index, a second later by default.
_VISIBLE_SECONDS = 2.0
# After a POST without an answer: how long the server may take to finish it before it is sent again.
_SETTLE_SECONDS = 5.0


def create(
    cluster: Cluster,
    request: Request,
    *,
    again: bool,
    report: Report,
    deadline_seconds: float = 60.0,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> str:
    """Register a model group and return its id; ``again`` says that an earlier run may have done so.

    Raises RequestFailed, also where the name is in use and no group of that name can be seen, and Unreachable.
    """
    patience, attempt = Patience.of(deadline_seconds, clock, sleep), 0
    name = str(request.body["name"])
    found = _soon(cluster, name, patience, _VISIBLE_SECONDS) if again else None
    while found is None:
        try:
            return str(cluster.send(request, timeout=patience.timeout(30))["model_group_id"])
        except (Unreachable, RequestFailed) as error:
            if patience.over:
                raise
            # Refused may mean that the name is in use, by the group that an answer now lost was about.
            seconds = _SETTLE_SECONDS if isinstance(error, Unreachable) else _VISIBLE_SECONDS * bool(attempt or again)
            found = _soon(cluster, name, patience, seconds)
            if found is None and not passes(error):
                raise
        patience.pause(attempt)
        attempt += 1
    report(Note(f"the model group {name!r} was made already, by a request whose answer was lost"))
    return found


def _soon(cluster: Cluster, name: str, patience: Patience, seconds: float) -> str | None:
    """The group of this name, once a search finds it or so many seconds are over; a search has the whole patience."""
    attempt, settling = 0, patience.within(seconds)
    while True:
        answer = persist_if_there(cluster, ml.groups_named(name), patience)
        hits = answer["hits"]["hits"] if answer else []
        if hits or settling.over:
            return str(hits[0]["_id"]) if hits else None
        settling.pause(attempt, longest=0.5)
        attempt += 1
