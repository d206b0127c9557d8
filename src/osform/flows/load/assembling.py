"""A load put together: what reads, decides, paces and sends, with the threads that do it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from osform.cluster import nodes
from osform.cluster.bulk import BulkWriter, Means
from osform.cluster.client import Cluster
from osform.cluster.destinations import Destination
from osform.cluster.retry import Patience
from osform.core.events import Report
from osform.core.pacing import Bounds, Pacing
from osform.errors import ClusterError, NotReady
from osform.files.documents import Reader
from osform.files.seen import Seen
from osform.flows.load.deciding import AHEAD
from osform.flows.load.running import Ingested, Letters, Load, Manner, Notes, Tools
from osform.flows.load.waking import Waker
from osform.flows.load.whereabouts import Whereabouts

# What a request holds where no model has to do anything with it.
_PLAIN_COUNT, _PLAIN_GROUP = 5_000, 250
_LOOK_SECONDS = 120.0


@dataclass(frozen=True)
class Pace:
    """How much is sent at a time, and for how long the cluster is given to take it.

    ``count`` documents a bulk request and ``clients`` requests under way at a time, both found out on the way where
    they are None; at most ``size`` bytes a request. ``timeout`` for one request and ``patience`` with a cluster that
    takes nothing, both in seconds.
    """

    count: int | None = None
    size: int = 5_000_000
    clients: int | None = None
    timeout: float = 120.0
    patience: float = 300.0


USUAL_PACE = Pace()


@dataclass(frozen=True)
class Sources:
    """Where rows come from, and where it is written down what became of them."""

    reader: Reader
    seen: Seen
    letters: Letters
    checkpoint: Notes


@dataclass(frozen=True)
class Run:
    """What belongs to one run in one process. ``stopped`` ends every wait; ``chance`` gives numbers between 0 and 1."""

    pace: Pace
    report: Report
    stopped: threading.Event
    clock: Callable[[], float]
    chance: Callable[[], float]

    def sleep(self, seconds: float) -> None:
        """Wait. Raises NotReady where the run is stopped meanwhile."""
        if self.stopped.wait(seconds):
            raise NotReady("the run was stopped")

    def patience(self) -> Patience:
        """The deadline of one look at the cluster."""
        return Patience.of(min(_LOOK_SECONDS, self.pace.patience), self.clock, self.sleep)


@contextmanager
def assembled(
    cluster: Cluster, where: Whereabouts, sources: Sources, manner: Manner, run: Run, done: Ingested, *, share: int = 1
) -> Iterator[Load]:
    """A load that is ready to run. ``share`` of them use the same ML nodes at the same time."""
    pacing = Pacing(_bounds(cluster, where.now, run.pace, share), run.pace.timeout, run.clock)
    wake = Waker(
        cluster, where.now.model_ids, patience=run.pace.patience, clock=run.clock, sleep=run.stopped.wait,
        report=run.report,
    )  # fmt: skip
    means = Means(pacing, run.clock, run.stopped.wait, run.chance, run.report, wake)
    writer = BulkWriter(cluster, done.alias, means, patience=run.pace.patience)
    with ExitStack() as stack:
        eyes, hands = (
            stack.enter_context(ThreadPoolExecutor(workers, name))
            for workers, name in ((AHEAD, "look-up"), (pacing.bounds.clients, "bulk"))
        )
        tools = Tools(
            cluster, where, sources.reader, sources.seen, writer, pacing, sources.letters, sources.checkpoint,
            run.report, run.stopped, run.patience, eyes, hands,
        )  # fmt: skip
        yield Load(tools, manner, done)


def _bounds(cluster: Cluster, where: Destination, pace: Pace, share: int) -> Bounds:
    """What pacing keeps to: as many documents under way as the processors of the ML nodes can use, or a share."""
    usual = Bounds()
    embeds = bool(where.embeddings)
    return Bounds(
        count=pace.count or (usual.count if embeds else _PLAIN_COUNT),
        size=pace.size,
        clients=pace.clients or usual.clients,
        under_way=max(1, usual.under_way // share),
        group=where.group if embeds else _PLAIN_GROUP,
        cores=-(-(_cores(cluster, where) if embeds else usual.cores) // share),
        exact=pace.count is not None,
    )


def _cores(cluster: Cluster, where: Destination) -> int:
    """Processors that can embed: those of the nodes that have the models, else of those that may have them."""
    try:
        held = nodes.serving(cluster, where.model_ids)
        ids = frozenset.union(*held.values()) or {node.id for node in nodes.ml_nodes(cluster)}
        return max(1, nodes.processors(cluster, ids))
    except ClusterError:
        return Bounds().cores  # somebody who may write need not be allowed to look at nodes
