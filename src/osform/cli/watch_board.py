"""What a watch shows of itself: its metrics, its page, and whether it is alive and ready."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from typing import Any

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from osform.cluster.counting import Counted
from osform.core.watching import Happened, Standing, WatchSpec
from osform.files.repository import Repository

_STATES = ("in sync", "drifted", "waiting", "refused", "failing", "unknown")
_LABELS = ("target", "stack", "environment")
_APPLIES = (0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200)
_LOOKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60)


@dataclass
class Board:
    """Kept up by ``take``, read by whoever asks over HTTP, each in a thread of its own."""

    spec: WatchSpec
    cluster: Counted
    repository: Repository
    clock: Any = time.monotonic
    leading: bool = False
    leader: str = ""
    source_up: bool = True
    cluster_up: bool = True
    standings: dict[str, Standing] = field(default_factory=dict)
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    last: list[tuple[str, Happened]] = field(default_factory=list)
    failures: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self.alive_at = self.clock()
        self.standings = {each.key: Standing(each.key) for each in self.spec.targets}
        self.registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self.registry)
        self._looks = Histogram(
            "osform_watch_look_seconds", "A look at everything", buckets=_LOOKS, registry=self.registry
        )
        self._applies = Histogram(
            "osform_watch_apply_seconds", "An apply", _LABELS, buckets=_APPLIES, registry=self.registry
        )
        self.registry.register(_Collector(self))

    def take(self, event: Happened) -> None:
        """Note what happened."""
        with self._lock:
            self.alive_at = self.clock()
            match event.what:
                case "leading":
                    self.leading, self.leader, self.cluster_up = True, event.message, True
                case "standby":
                    self.leading, self.leader, self.cluster_up = False, event.message, True
                case "source away" | "source back":
                    self.source_up = event.what == "source back"
                case "cluster away":
                    self.cluster_up = False
                case "note" if event.standing is None and not event.message:
                    self.cluster_up = True
                    self._looks.observe(event.seconds)
            if event.standing is not None:
                self.standings[event.standing.target] = event.standing
            if event.what == "note":
                if self.leading and event.standing and event.standing.state == "failing":
                    self.failures[_labels(event.standing)] += 1
                return
            self.events[(event.what, event.standing.target if event.standing else "")] += 1
            if event.what in ("applied", "repaired") and event.standing:
                self._applies.labels(*_labels(event.standing)).observe(event.seconds)
            self.last = [(_now(), event), *self.last][:20]

    def beat(self) -> None:
        """Something goes on: an apply may take hours."""
        self.alive_at = self.clock()

    @property
    def alive(self) -> bool:
        """Whether anything has been heard of the watch lately."""
        # While the cluster is away, ten minutes may pass between two questions.
        return bool(self.clock() - self.alive_at < max(1200.0, 5 * self.spec.every))

    @property
    def ready(self) -> bool:
        """Whether it leads and has looked at every target, or stands by for somebody who does."""
        looked = all(each.state != "unknown" for each in self.standings.values())
        return self.cluster_up and (looked if self.leading else bool(self.leader))

    def metrics(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def to_json(self) -> dict[str, Any]:
        """What the page shows, for programs."""
        with self._lock:
            return {
                "watch": self.spec.name,
                "repository": self.repository.shown,
                "ref": self.spec.ref,
                "leading": self.leading,
                "leader": self.leader,
                "source_up": self.source_up,
                "cluster_up": self.cluster_up,
                "stacks": [each.to_json() for each in self.standings.values()],
            }

    def page(self) -> str:
        """One page of HTML, without a script, that asks for itself again now and then."""
        shown = self.to_json()
        with self._lock:
            last = list(self.last)
        role = "leads" if shown["leading"] else f"stands by for {escape(shown['leader'] or 'nobody yet')}"
        ups = [f"{name} {'answers' if shown[key] else 'is away'}" for name, key in _UPS]
        rows = "".join(map(_row, shown["stacks"]))
        told = "".join(
            f"<tr><td>{when}<td>{escape(each.what)}<td>{escape(each.commit[:10])}<td>{escape(each.message)}"
            for when, each in last
        )
        return _PAGE.format(
            name=escape(shown["watch"]), repository=escape(shown["repository"]), ref=escape(shown["ref"]), role=role,
            ups=", ".join(ups), rows=rows, told=told, every=max(2, round(self.spec.every)),
        )  # fmt: skip


_UPS = (("the Git server", "source_up"), ("the cluster", "cluster_up"))
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="{every}">
<title>osform watch {name}</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color-scheme: light dark }}
table {{ border-collapse: collapse; margin: 1rem 0 }} td, th {{ text-align: left; padding: .3rem .8rem;
vertical-align: top; border-bottom: 1px solid #8884 }}
.bad {{ color: #c62828 }} .good {{ color: #2e7d32 }} .wait {{ color: #b26a00 }}
td {{ white-space: pre-wrap; max-width: 60rem }}</style>
<h1>osform watch {name}</h1><p>{repository} at <code>{ref}</code>. This one {role}; {ups}.</p>
<table><tr><th>stack<th>state<th>since<th>commit<th>kept to<th>message<th>drift{rows}</table>
<h2>Lately</h2><table>{told}</table></html>
"""
_COLOURS = {"in sync": "good", "refused": "bad", "failing": "bad"}


def _row(shown: dict[str, Any]) -> str:
    name = f"{shown['stack']} ({shown['environment']})" if shown["stack"] else shown["target"]
    state = shown["state"]
    cells = (shown["since"], shown["head"][:10], shown["good"][:10], shown["message"], ", ".join(shown["drift"]))
    rest = "".join(f"<td>{escape(cell)}" for cell in cells)
    return f'<tr><td>{escape(name)}<td class="{_COLOURS.get(state, "wait")}">{escape(state)}{rest}'


def _labels(standing: Standing) -> tuple[str, str, str]:
    return standing.target, standing.stack, standing.environment


class _Collector:
    """What is true now, as gauges; what has been counted, as counters."""

    def __init__(self, board: Board) -> None:
        self.board = board

    def collect(self) -> Iterator[Metric]:
        board = self.board
        with board._lock:
            standings, events, failures = list(board.standings.values()), dict(board.events), dict(board.failures)
        for name, said, value in (
            ("osform_watch_leader", "Whether this replica leads", board.leading),
            ("osform_watch_source_up", "Whether the Git server answered last time", board.source_up),
            ("osform_watch_cluster_up", "Whether the cluster answered last time", board.cluster_up),
        ):
            yield GaugeMetricFamily(name, said, float(value))
        yield from _standing_metrics(standings)
        told = CounterMetricFamily("osform_watch_events", "What happened, by sort", labels=("event", "target"))
        for (what, target), count in events.items():
            told.add_metric((what, target), count)
        yield told
        failing = CounterMetricFamily("osform_watch_failures", "Looks that failed", labels=_LABELS)
        for labels, count in failures.items():
            failing.add_metric(labels, count)
        yield failing
        requests = CounterMetricFamily("osform_requests", "Requests to the cluster", labels=("method",))
        for method, count in dict(board.cluster.sent).items():
            requests.add_metric((method,), count)
        yield requests
        yield CounterMetricFamily("osform_request_failures", "Requests that failed", board.cluster.failed)
        yield CounterMetricFamily("osform_git_commands", "Git commands that were run", board.repository.commands)


def _standing_metrics(standings: list[Standing]) -> Iterator[Metric]:
    state = GaugeMetricFamily("osform_watch_state", "1 for the state that holds", labels=(*_LABELS, "state"))
    sync = GaugeMetricFamily("osform_watch_in_sync", "Whether the cluster is as the commit says", labels=_LABELS)
    since = GaugeMetricFamily("osform_watch_state_since_seconds", "When the state began", labels=_LABELS)
    drift = GaugeMetricFamily("osform_watch_drift", "1 for each that drifted", labels=(*_LABELS, "address"))
    commit = GaugeMetricFamily("osform_watch_commit", "1; which commits", labels=(*_LABELS, "head", "kept_to"))
    applied = GaugeMetricFamily("osform_watch_last_apply_seconds", "When the last apply ended", labels=_LABELS)
    for each in standings:
        labels = _labels(each)
        for word in _STATES:
            state.add_metric((*labels, word), float(each.state == word))
        sync.add_metric(labels, float(each.state == "in sync"))
        commit.add_metric((*labels, each.head, each.good), 1.0)
        for address in each.drift:
            drift.add_metric((*labels, address), 1.0)
        for metric, text in ((since, each.since), (applied, each.applied_at)):
            if text:
                metric.add_metric(labels, datetime.fromisoformat(text).timestamp())
    yield from (state, sync, since, drift, commit, applied)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def as_json(event: Happened, watch: str) -> str:
    """One event as a line for logs, webhooks and commands."""
    standing = event.standing or Standing("")
    name = f"{standing.stack} ({standing.environment}) " if standing.stack else ""
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "event": event.what,
        "watch": watch,
        "stack": standing.stack or None,
        "environment": standing.environment or None,
        "state": standing.state if event.standing else None,
        "commit": event.commit or standing.head or None,
        "kept_to": standing.good or None,
        "seconds": event.seconds or None,
        "message": event.message,
        "text": f"osform watch {watch}: {name}{event.what}" + (f": {event.message}" if event.message else ""),
    }
    return json.dumps(line, ensure_ascii=False)
