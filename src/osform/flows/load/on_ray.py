"""Ray's side of a load that several processes do, on this machine or on many: parts out, outcomes back."""

from __future__ import annotations

import os
import secrets
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from osform.core.events import Event
from osform.core.rows import Rejected
from osform.errors import ClusterError, MissingExtra
from osform.files.documents import Mapped
from osform.files.parts import Part, id_hashes
from osform.flows.load.desk import Desk, News
from osform.flows.load.parts import Order, Outcome, load_part

_LOOK_SECONDS = 0.5
_END_SECONDS = 120.0  # for requests under way, when everything is to stop
_STORE_BYTES = 100_000_000  # what passes through Ray here is small: parts, counts and hashes of ids
_USUAL_WORKERS = 4
# Of a cluster that is started here: no figures of its use for Ray's makers, and work from nobody but this run, since
# whoever may hand Ray work can run anything as this user. Ray reads them when it is imported.
_OF_OUR_OWN = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}


@dataclass(frozen=True)
class _Teller:
    """The desk, which is an actor, for one part."""

    desk: Any
    part: int

    def settled(self) -> int:
        return int(_got(self.desk.settled.remote(self.part)))

    def reached(self, rows: int, *, now: bool) -> None:
        answer = self.desk.reached.remote(self.part, rows)
        if now:
            _got(answer)

    def letter(self, rejected: Rejected) -> None:
        _got(self.desk.letter.remote(rejected))

    def told(self, event: Event) -> None:
        _got(self.desk.told.remote(event))

    def advanced(self, rows: int) -> None:
        self.desk.advanced.remote(self.part, rows)


def _got(answer: Any) -> Any:
    import ray

    return ray.get(answer)


def _load(order: Order, part: Part, number: int, desk: Any, rest: bool) -> Outcome:
    return load_part(order, part, _Teller(desk, number), rest=rest)


class Fleet:
    """The workers of one load. ``RAY_ADDRESS`` names a Ray cluster; without it, one is started here for the time.

    ``workers`` is how many parts are loaded at a time; None is as many as the Ray cluster has processors, or a few.
    Raises MissingExtra where Ray is not installed, ClusterError where its cluster can't be reached.
    """

    def __init__(self, workers: int | None) -> None:
        self._address = os.environ.get("RAY_ADDRESS")
        if not self._address:
            os.environ.update(_OF_OUR_OWN)
        try:
            import ray
        except ImportError as error:
            raise MissingExtra("ray", "--engine ray", error) from error
        self._ray = ray
        self._wanted = workers
        self.workers = workers or 1

    def __enter__(self) -> Fleet:
        quiet = {"logging_level": "ERROR", "log_to_driver": False}
        here = self._wanted or min(_USUAL_WORKERS, os.cpu_count() or 1)
        own = {
            "address": "local", "num_cpus": here, "object_store_memory": _STORE_BYTES, "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
        }  # fmt: skip
        try:
            self._ray.init(**({"address": self._address} if self._address else own), **quiet)
        except Exception as error:
            where = f"RAY_ADDRESS={self._address}" if self._address else "Ray could not be started on this machine"
            raise ClusterError(f"{where}: {error}", hint="ray status says whether a cluster runs") from error
        self.workers = self._wanted or max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ray.shutdown()

    def hashes(self, parts: Sequence[Part], id_field: str | None, mapped: Mapped) -> list[array[int]]:
        """``id_hashes`` of each part."""
        task = self._ray.remote(id_hashes)
        found: list[array[int]] = self._ray.get([task.remote(part, id_field, dict(mapped)) for part in parts])
        return found

    def desk(self, folder: Path, names: Sequence[str | None], dead_letter: Path) -> Any:
        """A desk on this machine, wherever the workers are."""
        here = self._ray.get_runtime_context().get_node_id()
        strategy = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(here, soft=False)
        actor = self._ray.remote(num_cpus=0, max_concurrency=1)(Desk)
        return actor.options(scheduling_strategy=strategy).remote(folder, list(names), dead_letter)

    def finished(self, desk: Any) -> None:
        """Have the desk forget how far its parts are."""
        self._ray.get(desk.finished.remote())

    def news(self, desk: Any) -> News:
        """What the desk was told since the last look."""
        news: News = self._ray.get(desk.news.remote())
        return news

    def loaded(
        self,
        order: Order,
        parts: Sequence[tuple[int, Part]],
        desk: Any,
        look: Callable[[], None],
        *,
        rest: bool = False,
    ) -> Iterator[Outcome]:
        """What became of each part, as they end. ``look`` is called twice a second.

        A worker that is lost is replaced, and begins at what the desk knows of its part. Whatever ends this early, an
        interrupt as well as a part that went wrong, the others finish their requests first.
        """
        task = self._ray.remote(num_cpus=1, max_retries=3)(_load)
        shared, waiting = self._ray.put(order), list(reversed(parts))
        under_way: list[Any] = []
        try:
            while waiting or under_way:
                while waiting and len(under_way) < self.workers:
                    number, part = waiting.pop()
                    under_way.append(task.remote(shared, part, number, desk, rest))
                ready, under_way = self._ray.wait(under_way, num_returns=1, timeout=_LOOK_SECONDS)
                look()
                for each in ready:
                    yield self._outcome(each)
        finally:
            self._stop(under_way)

    def _outcome(self, answer: Any) -> Outcome:
        try:
            outcome: Outcome = self._ray.get(answer)
        except self._ray.exceptions.RayTaskError:
            raise  # a mistake in osform, with its trace
        except self._ray.exceptions.RayError as error:
            raise ClusterError(
                f"a Ray worker was lost again and again: {error}", hint="the same command goes on from there"
            ) from error
        return outcome

    def _stop(self, under_way: Sequence[Any]) -> None:
        for each in under_way:
            self._ray.cancel(each, force=False, recursive=False)
        if under_way:
            self._ray.wait(list(under_way), num_returns=len(under_way), timeout=_END_SECONDS)
