"""What this machine can bear: its platform, its free disk, memory and ports, and the account that runs the nodes."""

from __future__ import annotations

import os
import platform as system
import shutil
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from osform.errors import LocalClusterError

GIB = 1 << 30
BESIDE_HEAP = 512 << 20
"""What a node takes beside its heap: the JVM's own, buffers, libtorch and a small model."""

FOR_DATA = 2 * GIB
"""Free disk, in bytes, that a cluster should find; with less, osform warns of what OpenSearch is going to do."""


@dataclass(frozen=True)
class Account:
    """Whom the nodes run as, where that is not who runs osform."""

    name: str
    uid: int
    gid: int


def platform() -> str:
    """Operating system and processor, in the words that DJL uses: ``linux-x86_64``, ``osx-aarch64``."""
    systems = {"Linux": "linux", "Darwin": "osx", "Windows": "win"}
    processors = {"AMD64": "x86_64", "arm64": "aarch64"}
    machine = system.machine()
    return f"{systems.get(system.system(), system.system().lower())}-{processors.get(machine, machine)}"


def account(uid: int | None = None, name: str = "nobody") -> Account | None:
    """The account for the nodes: None for an ordinary user, ``nobody`` for root, as whom OpenSearch does not start."""
    if (os.getuid() if uid is None else uid) != 0:
        return None
    import pwd

    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise LocalClusterError(
            f"OpenSearch does not run as root, and there is no user {name} to run it as",
            hint="run osform as an ordinary user",
        ) from error
    return Account(name, entry.pw_uid, entry.pw_gid)


def reachable(path: Path, by: Account | None) -> bool:
    """Whether the account can use a file or folder: every folder above it must let others through."""
    if not path.exists():
        return False
    if by is None:
        return os.access(path, os.X_OK)
    return all(
        folder.stat().st_mode & 0o001 or (folder.stat().st_uid == by.uid and folder.stat().st_mode & 0o100)
        for folder in (path.resolve(), *path.resolve().parents)
    )


def make_folder(folder: Path, by: Account | None) -> None:
    """Make a folder and those above it that are missing, open to the account of the nodes whatever root's umask."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    for each in missing if by else ():
        each.chmod(0o755)


def check_folder(folder: Path, by: Account | None) -> None:
    """Raise LocalClusterError where the nodes could not work in a folder (which exists)."""
    if any(character.isspace() for character in str(folder)):
        raise LocalClusterError(
            f"OpenSearch can't be started from a folder with spaces in its name: {folder}",
            hint="set OSFORM_CACHE_DIR and OSFORM_DATA_DIR to folders without",
        )
    if not reachable(folder, by):
        assert by is not None
        raise LocalClusterError(
            f"OpenSearch runs as {by.name}, who can't enter {folder}",
            hint="set OSFORM_CACHE_DIR and OSFORM_DATA_DIR to folders that every user may enter",
        )


def check_disk(folder: Path, needed: int, what: str) -> None:
    """Raise LocalClusterError where less than ``needed`` bytes are free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise LocalClusterError(
            f"{what} needs {needed / GIB:.1f} GB of disk, and {folder} has {free / GIB:.1f} GB free",
            hint="free some, or set OSFORM_CACHE_DIR and OSFORM_DATA_DIR to a bigger disk",
        )


def available_memory(root: Path = Path("/")) -> int | None:
    """Bytes of memory that can be had without swapping, in a container as well; None where nobody says."""
    amounts = []
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
        amounts += [int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")]
        group = root / "sys/fs/cgroup"
        limit = (group / "memory.max").read_text(encoding="ascii").strip()
        used = int((group / "memory.current").read_text(encoding="ascii"))
        if limit != "max":
            amounts.append(int(limit) - used + _given_back(group))
    except (OSError, ValueError):
        pass  # another system, or no cgroup: what was found so far counts
    return min(amounts) if amounts else None


def _given_back(group: Path) -> int:
    """Bytes of a control group that the kernel gives back when they are needed: files that were read or written.

    They count as used, and what was just downloaded and unpacked would fill a container up to its limit.
    """
    try:
        lines = (group / "memory.stat").read_text(encoding="ascii").splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(("active_file ", "inactive_file ")))
    except (OSError, ValueError, IndexError):
        return 0


def check_memory(nodes: int, heap: int, available: int | None) -> None:
    """Raise LocalClusterError where the nodes would not fit into the memory that is available (bytes)."""
    needed = nodes * (heap + BESIDE_HEAP)
    if available is not None and available < needed:
        less = "osform cluster up --single" if nodes > 1 else "osform cluster up --single --heap 512m"
        raise LocalClusterError(
            f"{nodes} {'node' if nodes == 1 else 'nodes'} with {heap / GIB:.2g} GB of heap "
            f"need {needed / GIB:.1f} GB of memory, and {available / GIB:.1f} GB are available",
            hint=f"close something, or take less: {less}",
        )


def taken(port: int) -> bool:
    """Whether something listens on the port of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free, as for OpenSearch
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def check_ports(ports: Iterable[int], again: str = "osform cluster up") -> None:
    """Raise LocalClusterError where a port that a node needs is taken; ``again`` is the command to repeat."""
    if busy := [port for port in ports if taken(port)]:
        listed = ", ".join(map(str, busy))
        raise LocalClusterError(
            f"{'port' if len(busy) == 1 else 'ports'} {listed} on 127.0.0.1: taken by another program",
            hint=f"stop it (ss -ltnp 'sport = :{busy[0]}' says which), or choose others: {again} --port {_free()}",
        )


def _free() -> int:
    """An HTTP port that a cluster of two nodes could have."""
    return next((port for port in range(9210, 9700, 10) if not any(map(taken, (port, port + 1, port + 100)))), 19200)
