"""The index that an alias writes to, which may be another one from one moment to the next: osform apply swaps it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from osform.cluster.client import Cluster
from osform.cluster.destinations import Destination, destination
from osform.cluster.guard import refuse_mixing
from osform.cluster.retry import Patience
from osform.errors import RequestFailed

Answer = TypeVar("Answer")


class Whereabouts:
    """Where an alias writes to, as far as is known ``now``. ``patience`` makes the deadline of a look."""

    def __init__(self, cluster: Cluster, alias: str, patience: Callable[[], Patience]) -> None:
        """Raises NotReady where nothing can be written, VectorsAstray where two models' vectors would be mixed."""
        self._cluster, self._alias, self._patience = cluster, alias, patience
        self.now = self.look()

    def look(self) -> Destination:
        """Find out anew."""
        self.now = destination(self._cluster, self._alias, self._patience())
        refuse_mixing(self._cluster, self._alias, self.now.embeddings)
        return self.now

    def ask(self, question: Callable[[Destination], Answer]) -> Answer:
        """Ask the index; and the one in its place, where it is gone. Raises what the question does."""
        try:
            return question(self.now)
        except RequestFailed as error:
            if error.status != 404:
                raise
            return question(self.look())
