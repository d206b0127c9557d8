"""The small file that says what was started, so that any later command can ask."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from osform import atomic
from osform.core.connection import Hidden, Wishes
from osform.errors import LocalClusterError
from osform.local.places import Places, places
from osform.local.process import Process, alive
from osform.local.spec import Spec

USER = "osform"
"""Who one is on a secured local cluster."""


@dataclass(frozen=True)
class State:
    """What was asked for, and the processes that were started for it, by the node's name."""

    spec: Spec
    processes: dict[str, Process] = field(default_factory=dict)

    def running(self) -> dict[str, Process]:
        """Those of the processes that live."""
        return {name: process for name, process in self.processes.items() if alive(process)}


def load(file: Path) -> State | None:
    """The state that was written, or None where there is none.

    Raises LocalClusterError where the file is damaged.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        return State(Spec(**data["spec"]), {name: Process(**process) for name, process in data["processes"].items()})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LocalClusterError(
            f"{file} can't be read as the state of a local cluster: {error}",
            hint="move the file away; osform cluster up writes it anew and keeps the cluster's data",
        ) from error


def save(file: Path, state: State) -> None:
    """Write the state in one go: a reader sees the old or the new one, never half of it."""
    write(file, json.dumps(asdict(state), indent=2) + "\n")


def write(file: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file in one go. A link that someone laid in its place is replaced, not followed."""
    atomic.write(file, text.encode(), mode)


def running_url(name: str = "default", *, at: Places | None = None) -> str | None:
    """The URL of the local cluster with this name if its data node runs, else None.

    It asks the process table, not the cluster: no request is sent.
    """
    state = load((at or places()).cluster(name).state)
    if state is None or not alive(state.processes.get(state.spec.nodes[0].name)):
        return None
    return state.spec.url


def running(name: str = "default", *, at: Places | None = None) -> Wishes | None:
    """How the local cluster with this name is reached if its data node runs, else None."""
    url = running_url(name, at=at)
    if url is None:
        return None
    secrets = (at or places()).cluster(name).secrets
    if not url.startswith("https:"):
        return Wishes(hosts=(url,))
    try:
        password = (secrets / "password").read_text(encoding="ascii").strip()
    except OSError as error:
        raise LocalClusterError(f"the password of the local cluster can't be read: {error}") from error
    return Wishes(hosts=(url,), ca=str(secrets / "ca.pem"), user=USER, password=Hidden(password))
