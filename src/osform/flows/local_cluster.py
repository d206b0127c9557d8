"""Up, down and the state of the OpenSearch on this machine."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from osform.core.events import Advanced, Begun, Ended, Note, Report, Warned, silent
from osform.errors import LocalClusterError
from osform.local import java as javas
from osform.local import launch, logs, machine, process, security, state
from osform.local.artifacts import Release
from osform.local.download import Maven, fetch, missing_bytes
from osform.local.health import Health, NodeHealth, probe
from osform.local.install import Installation, installation, unpack
from osform.local.lock import held
from osform.local.places import Places, places
from osform.local.releases import SECURE_VERSION, release
from osform.local.spec import Node, Spec
from osform.local.state import State


@dataclass(frozen=True)
class Host:
    """Where a local cluster is to live: folders, environment, the account for its nodes, and the clock."""

    places: Places
    env: Mapping[str, str]
    account: machine.Account | None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def this(cls) -> Host:
        """This machine and this user."""
        return cls(places(), dict(os.environ), machine.account())


@dataclass(frozen=True)
class Asked:
    """What ``up`` was told; what is None stays as it was, or is the default."""

    port: int | None = None
    single: bool | None = None
    heap: str | None = None
    version: str | None = None
    ml_nodes: int | None = None
    secure: bool | None = None

    def given(self) -> dict[str, int | bool | str]:
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class NodeStatus:
    """A node as it is: its process if that runs, and what it says of itself if it answers."""

    node: Node
    pid: int | None
    health: NodeHealth | None


@dataclass(frozen=True)
class Status:
    """A cluster as it is. ``spec`` is None where there is none of this name, ``health`` where nothing answers."""

    name: str
    spec: Spec | None = None
    nodes: tuple[NodeStatus, ...] = field(default=())
    health: Health | None = None

    @property
    def running(self) -> bool:
        return any(node.pid for node in self.nodes)


@contextmanager
def _told() -> Iterator[None]:
    """What a disk refuses, as a sentence: a folder of somebody else, a file where a folder should be, no room."""
    try:
        yield
    except OSError as error:
        raise LocalClusterError(
            f"{error.filename}: {error.strerror}" if error.filename else str(error),
            hint="is it this user's, with room on its disk? OSFORM_CACHE_DIR and OSFORM_DATA_DIR choose other folders",
        ) from error


@_told()
def up(
    name: str = "default",
    asked: Asked = Asked(),
    *,
    host: Host | None = None,
    report: Report = silent,
    timeout: float = 300.0,
) -> Status:
    """Bring a cluster up, or what is missing of it; return when it serves.

    ``timeout`` is in seconds and for the wait alone, not for downloads. What was not asked is as at the last ``up``.
    Raises LocalClusterError where the machine can't bear it, a node fails, or the time is over.
    """
    host = host or Host.this()
    machine.make_folder(host.places.lock(name).parent, host.account)
    with held(host.places.lock(name), f"the cluster {name}", report, sleep=host.sleep):
        for last in (False, True):
            known = _known(host, name)
            spec = _agreed(name, asked, known)
            running = known.running() if known else {}
            absent = [node for node in spec.nodes if node.name not in running]
            if absent:
                running = _start(host, spec, absent, running, report)
            else:
                state.save(host.places.cluster(name).state, State(spec, running))
            ended = _wait(host, spec, running, report, timeout)
            if ended is None:
                if spec.secure:
                    security.let_in(spec.url, host.places.cluster(name).secrets)
                break
            if ended in absent or last:
                raise _failed(host, spec, ended, absent, running)
            report(Note(f"{ended.name} has just ended"))  # it was still dying when it was counted among the living
        return status(name, host=host)


@_told()
def down(
    name: str = "default",
    *,
    node: str | None = None,
    purge: bool = False,
    host: Host | None = None,
    report: Report = silent,
    patience: float = 60.0,
) -> None:
    """Stop a cluster, or one of its nodes; with ``purge`` remove its data as well.

    A node that has not ended after ``patience`` seconds is killed.
    """
    host = host or Host.this()
    place = host.places.cluster(name)
    if not place.root.exists():
        report(Note(f"there is no cluster {name}"))
        return
    with held(host.places.lock(name), f"the cluster {name}", report, sleep=host.sleep):
        known = _known(host, name)
        if known is None:
            report(Note(f"there is no cluster {name}"))
            return
        names = [each.name for each in known.spec.nodes]
        if node is not None and node not in names:
            raise LocalClusterError(f"the cluster {name} has no node {node}", hint=f"its nodes: {', '.join(names)}")
        left = known.running()
        # The ML node first: the data node, which leads the cluster, then need not see it go.
        for each in [node] if node else sorted(left, key=lambda each: each == known.spec.nodes[0].name):
            found = left.pop(each, None)
            report(Note(f"stopping {each} (pid {found.pid})" if found else f"{each} is not running"))
            if found:
                process.end(found, patience, sleep=host.sleep)
                state.save(place.state, State(known.spec, left))
        if purge and node is None:
            shutil.rmtree(place.root)
            report(Note(f"removed {place.root}"))


def status(name: str = "default", *, host: Host | None = None) -> Status:
    """A cluster as it is at the moment; waits for nothing."""
    host = host or Host.this()
    known = state.load(host.places.cluster(name).state)
    if known is None:
        return Status(name)
    running = known.running()
    health = probe(known.spec.url, _secrets(host, known.spec)) if running else None
    said = {each.name: each for each in health.nodes} if health else {}
    nodes = tuple(
        NodeStatus(node, running[node.name].pid if node.name in running else None, said.get(node.name))
        for node in known.spec.nodes
    )
    return Status(name, known.spec, nodes, health)


def log_files(name: str = "default", node: str | None = None, *, host: Host | None = None) -> dict[str, Path]:
    """The log of each node, or of one of them."""
    host = host or Host.this()
    place = host.places.cluster(name)
    known = state.load(place.state)
    if known is None:
        raise LocalClusterError(f"there is no cluster {name}", hint=f"osform cluster up --name {name}")
    files = {each.name: place.node(each.name).log for each in known.spec.nodes if node in (None, each.name)}
    if not files:
        names = ", ".join(each.name for each in known.spec.nodes)
        raise LocalClusterError(f"the cluster {name} has no node {node}", hint=f"its nodes: {names}")
    return files


def _known(host: Host, name: str) -> State | None:
    """What is written down about a cluster, with nodes that run although that was never written down."""
    place = host.places.cluster(name)
    known = state.load(place.state)
    if known is None:
        return None
    found = {node.name: launch.unwritten(place.node(node.name)) for node in known.spec.nodes}
    strays = {node: stray for node, stray in found.items() if stray and node not in known.running()}
    return replace(known, processes={**known.processes, **strays})


def _agreed(name: str, asked: Asked, known: State | None) -> Spec:
    """What the cluster is to be: what was asked, over what it was. A running cluster is not turned into another."""
    if known is None:
        if asked.secure and asked.version is None:
            asked = replace(asked, version=SECURE_VERSION)
        return Spec(name, **asked.given())  # type: ignore[arg-type]  # the fields of Asked are Spec's
    differing = [key for key, value in asked.given().items() if getattr(known.spec, key) != value]
    suffix = _suffix(name)
    if "version" in differing:
        raise LocalClusterError(
            f"the cluster {name} holds data of OpenSearch {known.spec.version}, not {asked.version}",
            hint=f"remove it (osform cluster down --purge{suffix}) or give the new one another --name",
        )
    if "secure" in differing:
        raise LocalClusterError(
            f"the cluster {name} was made {'with' if known.spec.secure else 'without'} security, and stays so",
            hint=f"remove it (osform cluster down --purge{suffix}) or give the new one another --name",
        )
    spec = replace(known.spec, **asked.given())  # type: ignore[arg-type]
    if differing and known.running():
        what = ", ".join(
            f"{key.replace('_', ' ')} {getattr(known.spec, key)}, not {getattr(spec, key)}" for key in differing
        )
        raise LocalClusterError(
            f"the cluster {name} is running with {what}",
            hint=f"stop it first: osform cluster down{suffix}; its data stay. Or another one: --name",
        )
    return spec


def _start(
    host: Host, spec: Spec, absent: list[Node], running: dict[str, process.Process], report: Report
) -> dict[str, process.Process]:
    """Start the nodes that are absent, writing each down as soon as it is there."""
    wanted, here = release(spec.version), machine.platform()
    wanted.torch_for(here)
    java = javas.find(
        wanted.java, host.env, f"OpenSearch {spec.version}", lambda program: machine.reachable(program, host.account)
    )
    machine.check_memory(len(absent), spec.heap_bytes, machine.available_memory())
    ports = [port for node in absent for port in (node.http_port, node.transport_port)]
    machine.check_ports(ports, f"osform cluster up{_suffix(spec.name)}")
    place = host.places.cluster(spec.name)
    machine.make_folder(place.root, host.account)
    machine.check_folder(place.root, host.account)
    installed = _installed(host, wanted, here, java, report)
    machine.check_disk(place.root, 500 << 20, "a local cluster")
    if (free := shutil.disk_usage(place.root).free) < machine.FOR_DATA:
        report(
            Warned(
                f"{place.root} has {free / machine.GIB:.1f} GB free: ML Commons takes no models below 1 GB, "
                "and below 0.5 GB OpenSearch makes all indices read-only"
            )
        )
    if spec.secure:
        security.make_secrets(place.secrets)
    running = dict(running)
    state.save(place.state, State(spec, running))
    for node in absent:
        launch.prepare(spec, node, place.node(node.name), place.secrets, installed, host.account)
        running[node.name] = launch.start(place.node(node.name), installed, java, wanted.torch_for(here), host.account)
        state.save(place.state, State(spec, running))
        report(Note(f"starting {node.name} on {node.url} (pid {running[node.name].pid}, Java {java.version})"))
    return running


def _installed(host: Host, wanted: Release, here: str, java: javas.Java, report: Report) -> Installation:
    """The release, fetched and unpacked unless it is there."""
    target = installation(host.places.cache, wanted, here)
    if target.complete:
        return target
    machine.make_folder(target.root.parent, host.account)
    machine.check_folder(target.root.parent, host.account)
    with held(host.places.cache / "opensearch.lock", f"OpenSearch {wanted.version}", report, sleep=host.sleep):
        if target.complete:  # by whoever held the lock
            return target
        maven, artifacts = Maven.of_user(), wanted.artifacts(here)
        maven.cache.mkdir(parents=True, exist_ok=True)
        missing = missing_bytes(maven, artifacts)
        machine.check_disk(maven.cache, missing, "the download")
        machine.check_disk(target.root.parent, wanted.unpacked + missing, f"OpenSearch {wanted.version}")
        files = {artifact: fetch(artifact, maven, report) for artifact in artifacts}
        unpack(target, wanted, here, files, java, report)
    return target


def _wait(host: Host, spec: Spec, running: dict[str, process.Process], report: Report, timeout: float) -> Node | None:
    """Wait until the cluster serves, or until a node ends, which is returned.

    Raises LocalClusterError where neither happens in time.
    """
    expected = {node.name for node in spec.nodes}
    task, deadline = "waiting for OpenSearch", host.clock() + timeout
    yellow_since: float | None = None
    report(Begun(task, len(expected)))
    try:
        while True:
            for node in spec.nodes:
                if not process.alive(running.get(node.name)):
                    return node
            health = probe(spec.url, _secrets(host, spec))
            if health:
                joined = expected & {node.name for node in health.nodes}
                report(Advanced(task, len(joined), len(expected)))
                if health.serves(expected):
                    # With one data node, an index that asks for replicas stays yellow; all else turns green soon.
                    yellow_since = host.clock() if yellow_since is None else yellow_since
                    if health.status == "green" or host.clock() - yellow_since >= 5:
                        return None
            if host.clock() >= deadline:
                raise _late(host, spec, health, timeout)
            host.sleep(0.5)
    finally:
        report(Ended(task))


def _failed(
    host: Host, spec: Spec, ended: Node, started: list[Node], running: dict[str, process.Process]
) -> LocalClusterError:
    """Why a node ended, from its log. What was started with it is stopped: half a cluster helps nobody."""
    place = host.places.cluster(spec.name)
    for node in started:
        process.end(running.pop(node.name), 20.0, sleep=host.sleep)
    state.save(place.state, State(spec, running))
    lines = logs.why(place.node(ended.name))
    said = "".join(f"\n    {line}" for line in lines)
    return LocalClusterError(
        f"the node {ended.name} ended while it was starting; the last that it said:{said}",
        hint=logs.remedy(lines) or f"the whole log: osform cluster logs --node {ended.name}{_suffix(spec.name)}",
    )


def _late(host: Host, spec: Spec, health: Health | None, timeout: float) -> LocalClusterError:
    suffix = _suffix(spec.name)
    if health is None:
        what = f"nothing answers at {spec.url}"
    else:
        there = ", ".join(node.name for node in health.nodes) or "no node"
        what = f"health is {health.status}, with {health.initializing} shards starting, and in the cluster: {there}"
    lines = [line for node in spec.nodes for line in logs.why(host.places.cluster(spec.name).node(node.name), 3)]
    said = "".join(f"\n    {line}" for line in lines)
    return LocalClusterError(
        f"the cluster {spec.name} does not serve after {timeout:.0f} s: {what}{said}",
        hint=f"osform cluster up{suffix} waits on, osform cluster logs{suffix} tells more",
    )


def _secrets(host: Host, spec: Spec) -> Path | None:
    """Where the secrets of a secured cluster are."""
    return host.places.cluster(spec.name).secrets if spec.secure else None


def _suffix(name: str) -> str:
    """What a command needs to mean this cluster."""
    return "" if name == "default" else f" --name {name}"
