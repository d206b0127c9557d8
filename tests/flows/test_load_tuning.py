"""The settings of a load are put back, whenever it is interrupted."""

from __future__ import annotations

from typing import Any

import pytest

from osform.cluster.retry import Patience
from osform.core.events import silent
from osform.core.request import Request
from osform.flows.load.tuning import Tuning
from osform.flows.load.whereabouts import Whereabouts
from tests.flows.memory import MemoryCluster

ASKED = {"index.number_of_replicas": "1", "index.refresh_interval": "2s"}


class Impatient(MemoryCluster):
    """Stands for a cluster with a user in front of it who presses Ctrl-C while the first settings are on their way."""

    def __init__(self) -> None:
        super().__init__()
        self.indices["pics-v1"] = {"settings": dict(ASKED), "mappings": {}, "aliases": {"pics": {}}}
        self.pressed = False

    def take(self, request: Request) -> Any:
        if request.method == "GET" and request.path.endswith("_mapping"):
            return {}
        answer = super().take(request)
        if request.path.endswith("_settings") and not self.pressed:
            self.pressed = True
            raise KeyboardInterrupt
        return answer


def test_settings_are_put_back_where_the_load_is_interrupted_before_it_began() -> None:
    cluster = Impatient()

    def patience() -> Patience:
        return Patience.of(5)

    tuning = Tuning(
        cluster, Whereabouts(cluster, "pics", patience), wanted=True, empty=True, patience=patience,
        now=lambda: 0.0, report=silent,
    )  # fmt: skip
    with pytest.raises(KeyboardInterrupt), tuning:
        pass
    assert cluster.pressed
    assert cluster.indices["pics-v1"]["settings"] == ASKED
