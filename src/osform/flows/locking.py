"""Work on a cluster that nobody else may do at the same time."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from osform.cluster import lock
from osform.cluster.client import Cluster
from osform.cluster.ledger import Ledger
from osform.cluster.lock import Holding, Owner
from osform.cluster.retry import Patience
from osform.core.events import Report, silent
from osform.errors import LockHeld


@dataclass(frozen=True)
class LockOptions:
    """How long to wait for a lock that somebody holds, and how long a lease is; both in seconds."""

    wait: float = 0.0
    lease: float = lock.LEASE_SECONDS


DEFAULT = LockOptions()
"""Do not wait, and a lease of a minute."""


@contextmanager
def locked(ledger: Ledger, options: LockOptions = DEFAULT, report: Report = silent) -> Iterator[Ledger]:
    """Hold the cluster's lock for as long as the block runs.

    Yields the ledger to work with: it writes with the lock's number, and its ``cluster`` sends changes only while the
    lease lasts. Raises LockHeld, Unreachable and RequestFailed.
    """
    ledger.prepare()
    owner = Owner(user(), socket.gethostname(), os.getpid(), secrets.token_hex(8))
    lease = lock.acquire(ledger.cluster, owner, seconds=options.lease, wait=options.wait, report=report)
    with lock.keeping(lease):
        guarded = lock.Guarded(ledger.cluster, lease)
        yield Ledger(guarded, ledger.stack, ledger.environment, lease.fence, ledger.seconds)


def unlock(cluster: Cluster, *, force: bool = False) -> Holding | None:
    """Release a lock whose lease is over, or any with ``force``; returns who had held it, None where nobody did.

    Raises LockHeld where its holder is at work and ``force`` is not given.
    """
    patience = Patience.of(30)
    holding = lock.holder(cluster, patience)
    if holding is None or holding.free:
        return None
    if lock.break_lock(cluster, patience, force=force):
        return holding
    now = lock.holder(cluster, patience)
    if now is None or now.free:
        return None
    raise LockHeld(
        f"it is held by {now}, and renewed while that process works",
        hint="if that process should end or is known to be dead: osform unlock --force",
    )


def who() -> str:
    """Whoever runs this, and where: ``ada@laptop``."""
    return f"{user()}@{socket.gethostname()}"


def user() -> str:
    """The name of whoever runs this."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have a number only
        return str(os.getuid())
