"""The configuration files of a node, as text. ``opensearch-compose.yml`` is held to the same settings by a test."""

from __future__ import annotations

import re
from typing import Any

import yaml

from osform.local import security
from osform.local.places import NodePlace
from osform.local.releases import release
from osform.local.spec import Node, Spec

LOCAL_ATTRIBUTE = "osform_local"
"""The node attribute that marks these nodes: their k-NN plugin has no native libraries, and faiss would kill them."""

MACHINE: dict[str, Any] = {
    # Watermarks as what is left, not as a share: at 95 % of a big disk there is still room for everything done here,
    # and by default all indices would silently turn read-only. osform warns when the room gets short.
    "cluster.routing.allocation.disk.watermark.low": "2gb",
    "cluster.routing.allocation.disk.watermark.high": "1gb",
    "cluster.routing.allocation.disk.watermark.flood_stage": "500mb",
    "plugins.ml_commons.disk_free_space_threshold": "1gb",
    # ML Commons counts the page cache as memory in use, so on a machine that has read many files it would refuse
    # every prediction. 100 turns this breaker off; the one for the heap stays.
    "plugins.ml_commons.native_memory_threshold": 100,
}
"""Settings for a machine that also does other things. Whatever a stack declares in the cluster wins over them."""


def shared(spec: Spec) -> dict[str, Any]:
    """The settings that do not depend on where the nodes run: here, or in containers."""
    return {
        "cluster.name": spec.cluster_name,
        "plugins.ml_commons.only_run_on_ml_node": not spec.single,
        **MACHINE,
    }


def opensearch(spec: Spec, node: Node, place: NodePlace) -> dict[str, Any]:
    """The settings of one node. What a stack is to decide, such as uploads of models, is left to the stack."""
    first = spec.nodes[0]
    return {
        **shared(spec),
        "node.name": node.name,
        "node.roles": list(node.roles),
        f"node.attr.{LOCAL_ATTRIBUTE}": "true",
        "path.data": str(place.data),
        "path.logs": str(place.logs),
        "network.host": "127.0.0.1",
        "http.port": node.http_port,
        "transport.port": node.transport_port,
        "discovery.seed_hosts": [f"127.0.0.1:{first.transport_port}"],
        "cluster.initial_cluster_manager_nodes": [first.name],
        **_security(spec),
    }


def _security(spec: Spec) -> dict[str, Any]:
    if not release(spec.version).securable:
        return {}
    return security.settings() if spec.secure else {"plugins.security.disabled": True}


def opensearch_yml(spec: Spec, node: Node, place: NodePlace) -> str:
    """``opensearch.yml`` of one node."""
    head = "# Written by osform at every start: changes made here do not last.\n"
    return head + yaml.safe_dump(opensearch(spec, node, place), sort_keys=False)


REPLACED = re.compile(
    r"^(?:\d+-?\d*:)?-(?:"
    r"Xm[sx]"  # the heap is ours to say
    r"|Xlog(?:gc|:gc)|XX:\+PrintGC|XX:\+PrintTenuring|XX:\+UseGCLogFile|XX:NumberOfGCLog|XX:GCLogFile"  # 2 GB of gc.log
    r"|XX:\+HeapDump|XX:HeapDumpPath|XX:ErrorFile"  # paths inside the installation, which nodes don't write to
    r"|Djava\.io\.tmpdir"
    r")"
)


def jvm_options(distributed: str, spec: Spec, place: NodePlace) -> str:
    """``jvm.options``: the distribution's own, without what is noisy or writes into the installation."""
    kept = [line for line in distributed.splitlines() if line.strip() and not line.startswith("#")]
    ours = [
        f"-Xms{spec.heap}",
        f"-Xmx{spec.heap}",
        f"-Djava.io.tmpdir={place.temporary}",
        f"-XX:ErrorFile={place.logs}/hs_err_pid%p.log",
        # A node that has nothing to do frees its garbage too: ML Commons refuses work while 85 % of the heap is taken,
        # be it by what nobody uses any more.
        "-XX:G1PeriodicGCInterval=5000",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",
    ]
    return "\n".join([*(line for line in kept if not REPLACED.match(line)), *ours]) + "\n"


def log4j2_properties() -> str:
    """``log4j2.properties``: one plain log of at most 4 x 20 MB, and deprecations only where they are errors."""
    return """\
status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = ${sys:opensearch.logs.base_path}/opensearch.log
appender.file.filePattern = ${sys:opensearch.logs.base_path}/opensearch-%i.log
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] [%node_name]%marker %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 20MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 3
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
logger.deprecation.name = org.opensearch.deprecation
logger.deprecation.level = error
"""


def environment(java_home: str, place: NodePlace, torch_folder: str, torch_version: str) -> dict[str, str]:
    """The environment of a node: nothing of the user's gets in, since e.g. JAVA_TOOL_OPTIONS would change the node.

    The last four keep ML Commons from downloading libtorch at the first deployment.
    """
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "LANG": "C.UTF-8",
        "HOME": str(place.temporary),
        "OPENSEARCH_JAVA_HOME": java_home,
        "OPENSEARCH_PATH_CONF": str(place.config),
        "OPENSEARCH_TMPDIR": str(place.temporary),
        "PYTORCH_LIBRARY_PATH": torch_folder,
        "PYTORCH_VERSION": torch_version,
        "PYTORCH_FLAVOR": "cpu",
        "DJL_OFFLINE": "true",
    }
