"""Tests against a real OpenSearch, which the suite starts once: a data node and a dedicated ML node.

``OSFORM_KEEP_TEST_CLUSTER=1`` takes a cluster that runs as it is and leaves it running, so that the next run is quick.
Its name and ports come from the checkout's path, so that two checkouts can be tested at the same time;
``OSFORM_TEST_CLUSTER=name:port`` chooses others.
``OSFORM_TEST_SECURE=1`` runs them on a secured 2.19.1, osform as a user who has the role that ``osform rights`` prints.
``OSFORM_TEST_VERSION=2.19.6`` runs the same tests on another OpenSearch; docs/versions.md has what came of that.
"""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from osform.cluster.client import Cluster
from osform.flows import local_cluster
from osform.local import running_url
from osform.local.releases import DEFAULT_VERSION, SECURE_VERSION
from tests.live import secured
from tests.live.stacks import Files

HERE = Path(__file__).parent
# Where the measurements of the long runs are shown, every request would be too.
for noisy in ("opensearch", "opensearchpy.trace"):
    logging.getLogger(noisy).setLevel(logging.WARNING)
CHECKOUT = zlib.crc32(str(HERE.parent.parent).encode())
# Eight ports from here on are the suite's, and as many 100 above, where nodes talk to each other.
OURS = os.environ.get("OSFORM_TEST_CLUSTER") or f"tests-{CHECKOUT:08x}:{10200 + CHECKOUT % 12 * 8}"


SECURE = os.environ.get("OSFORM_TEST_SECURE") == "1"
collect_ignore = [] if SECURE else ["test_secured.py", "test_rights.py"]


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.live)
            item.add_marker(pytest.mark.xdist_group("cluster"))  # one cluster, one test at a time


@pytest.fixture(scope="session")
def live_name() -> str:
    """The name of the suite's own local cluster."""
    return OURS.partition(":")[0]


@pytest.fixture(scope="session")
def live_port() -> int:
    """The HTTP port of its data node."""
    return int(OURS.partition(":")[2])


@pytest.fixture(scope="session")
def live_version() -> str:
    """The OpenSearch that the suite runs on."""
    return os.environ.get("OSFORM_TEST_VERSION") or (SECURE_VERSION if SECURE else DEFAULT_VERSION)


@pytest.fixture(scope="session")
def live_url(live_name: str, live_port: int, live_version: str) -> Iterator[str]:
    """The URL of a two-node cluster, empty unless it was kept from an earlier run."""
    keep = os.environ.get("OSFORM_KEEP_TEST_CLUSTER") == "1"
    kept = keep and running_url(live_name) is not None
    if not kept:
        local_cluster.down(live_name, purge=True)
    # The suite deploys more models one after the other than anybody would, and ML Commons refuses work while 85 % of
    # the heap is taken, garbage included.
    heap = None if kept else "1536m"
    single = None if kept else False
    asked = local_cluster.Asked(live_port, single, heap, live_version, secure=SECURE or None)
    status = local_cluster.up(live_name, asked)
    assert status.spec is not None
    yield secured.admit(live_name) if SECURE else status.spec.url
    if not keep:
        local_cluster.down(live_name, purge=True)


@pytest.fixture
def owner_url(live_url: str, live_name: str) -> str:
    """The URL for whoever may do everything there."""
    return secured.owner(live_name) if SECURE else live_url


@pytest.fixture
def cluster(owner_url: str) -> Iterator[Cluster]:
    """The suite's cluster, for what tests do besides osform."""
    cluster = Cluster(owner_url)
    yield cluster
    cluster.close()


@pytest.fixture
def files(live_url: str, cluster: Cluster, tmp_path: Path) -> Iterator[Files]:
    """An empty stack; what a test has made of it is taken away at the end."""
    worker = Cluster(live_url)
    files = Files(tmp_path / "provision", cluster, worker)
    files.write("stack", "name: NAME\n")
    yield files
    files.take_away()
    worker.close()
