"""Where the local cluster keeps its files: what can be fetched again in the cache, what can't in the data folder."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from osform.errors import LocalClusterError

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True)
class NodePlace:
    """The folders of one node. ``console`` takes what the JVM says before and beside the log."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"

    @property
    def log(self) -> Path:
        return self.logs / "opensearch.log"

    @property
    def console(self) -> Path:
        return self.root / "console.log"


@dataclass(frozen=True)
class ClusterPlace:
    """The folder of one named cluster."""

    root: Path

    @property
    def state(self) -> Path:
        return self.root / "cluster.json"

    @property
    def secrets(self) -> Path:
        """What a secured cluster's owner needs to get in, and nobody else can read."""
        return self.root / "secrets"

    def node(self, name: str) -> NodePlace:
        return NodePlace(self.root / name)


@dataclass(frozen=True)
class Places:
    """``cache`` holds unpacked releases, which all clusters share; ``data`` holds the clusters."""

    cache: Path
    data: Path

    def cluster(self, name: str) -> ClusterPlace:
        """The folder of a cluster; raises LocalClusterError where the name can't be one of a folder."""
        if not NAME.fullmatch(name):
            raise LocalClusterError(
                f"{name!r} can't name a cluster",
                hint="use 1 to 40 lower-case letters, digits and hyphens, a letter or digit first",
            )
        return ClusterPlace(self.data / "clusters" / name)

    def lock(self, name: str) -> Path:
        """The lock of a cluster lies beside its folder, so that a purge does not take it away."""
        return self.cluster(name).root.with_name(f".{name}.lock")


def places(env: Mapping[str, str] | None = None, uid: int | None = None) -> Places:
    """The folders of this user.

    For root they are outside its home: the nodes run as another user, who can't enter /root. ``OSFORM_CACHE_DIR`` and
    ``OSFORM_DATA_DIR`` override both.
    """
    env = os.environ if env is None else env
    if uid is None:
        uid = os.getuid() if hasattr(os, "getuid") else 1
    if uid == 0:
        cache, data = Path("/var/cache/osform"), Path("/var/lib/osform")
    else:
        import platformdirs

        cache, data = platformdirs.user_cache_path("osform"), platformdirs.user_data_path("osform")
    return Places(Path(env.get("OSFORM_CACHE_DIR") or cache), Path(env.get("OSFORM_DATA_DIR") or data))
