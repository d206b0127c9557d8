"""The releases that a local cluster can be of. One more is a module like those below, and a line here.

The hashes were computed from the published files and compared with the checksums that are published beside them, where
there are any.
"""

from __future__ import annotations

from osform.errors import LocalClusterError
from osform.local import opensearch_2_19, opensearch_2_19_1, opensearch_3_6
from osform.local.artifacts import Release

RELEASES: dict[str, Release] = {
    each.version: each for each in (opensearch_3_6.RELEASE, opensearch_2_19.RELEASE, opensearch_2_19_1.RELEASE)
}

DEFAULT_VERSION = "3.6.0"
SECURE_VERSION = "2.19.1"
"""Where security is asked for, and no version."""


def release(version: str) -> Release:
    """The release of a version, or LocalClusterError that names those there are."""
    if version not in RELEASES:
        raise LocalClusterError(
            f"there is no local OpenSearch {version}", hint=f"versions to choose from: {', '.join(RELEASES)}"
        )
    return RELEASES[version]
