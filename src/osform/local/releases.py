"""What a local cluster is made of: Maven coordinates, each file with the SHA-256 that it must have.

A further version is a further entry of ``RELEASES``. The hashes were computed from the published files and compared
with the checksums that are published beside them, where there are any.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from osform.errors import LocalClusterError


@dataclass(frozen=True)
class Artifact:
    """One published file; ``size`` in bytes."""

    group: str
    name: str
    version: str
    packaging: str
    sha256: str
    size: int
    classifier: str = ""

    def __str__(self) -> str:
        parts = [self.group, self.name, self.packaging, *([self.classifier] if self.classifier else []), self.version]
        return ":".join(parts)

    @property
    def filename(self) -> str:
        """The file's name in a Maven repository."""
        suffix = f"-{self.classifier}" if self.classifier else ""
        return f"{self.name}-{self.version}{suffix}.{self.packaging}"


@dataclass(frozen=True)
class JavaRange:
    """The Java feature versions that a release runs on; ``newest`` is None where none is known to fail."""

    oldest: int
    newest: int | None = None

    def __contains__(self, feature: int) -> bool:
        return feature >= self.oldest and (self.newest is None or feature <= self.newest)

    def __str__(self) -> str:
        return f"Java {self.oldest} or newer" if self.newest is None else f"Java {self.oldest} to {self.newest}"


@dataclass(frozen=True)
class Torch:
    """The native side of ML Commons: libtorch and its JNI library, with the folders that they have inside their jars.

    ONNX models need it as well; without it, the first deployment tries to download libtorch.
    """

    version: str
    libraries: Artifact
    libraries_under: str
    jni: Artifact
    jni_under: str


@dataclass(frozen=True)
class Release:
    """One version of OpenSearch. ``plugins`` stand in the order in which they must be installed.

    ``unpacked`` is about what an installation takes, in bytes.
    """

    version: str
    distribution: Artifact
    plugins: tuple[Artifact, ...]
    torch: dict[str, Torch]
    java: JavaRange
    unpacked: int

    def torch_for(self, platform: str) -> Torch:
        """The native libraries for a platform, or LocalClusterError where there are none."""
        if platform not in self.torch:
            raise LocalClusterError(
                f"the local cluster runs on {', '.join(self.torch)}, and this is {platform}",
                hint="with Docker: docker compose -f opensearch-compose.yml up",
            )
        return self.torch[platform]

    def artifacts(self, platform: str) -> tuple[Artifact, ...]:
        """Everything to fetch for one platform."""
        torch = self.torch_for(platform)
        return (self.distribution, *self.plugins, torch.libraries, torch.jni)

    def fingerprint(self, platform: str) -> str:
        """Names an installation: other artifacts make another one."""
        hashes = "".join(artifact.sha256 for artifact in self.artifacts(platform))
        return f"{self.version}-{hashlib.sha256(hashes.encode()).hexdigest()[:8]}"


TORCH_2_5_1 = Torch(
    version="2.5.1",
    libraries=Artifact(
        "ai.djl.pytorch",
        "pytorch-native-cpu",
        "2.5.1",
        "jar",
        "9c4f35fb64cb3fba34340b432c648e1bea044adeee554b473d5882499b16f0a4",
        109_602_264,
        classifier="linux-x86_64",
    ),
    libraries_under="pytorch/cpu/linux-x86_64/",
    jni=Artifact(
        "ai.djl.pytorch",
        "pytorch-jni",
        "2.5.1-0.32.0",
        "jar",
        "342bde24382eef06e93a2461fd8f293e5c2c6c72caca7d66019d0a9447d96265",
        4_931_626,
    ),
    jni_under="jnilib/linux-x86_64/cpu/",
)

RELEASES: dict[str, Release] = {
    "3.6.0": Release(
        version="3.6.0",
        distribution=Artifact(
            "org.opensearch.distribution.integ-test-zip",
            "opensearch",
            "3.6.0",
            "zip",
            "a91faa1dc1cadc78cb278b4f63847e19e1627a4e9de698e14e7efc14ee37b286",
            161_609_640,
        ),
        plugins=(
            Artifact(
                "org.opensearch.plugin",
                "opensearch-job-scheduler",
                "3.6.0.0",
                "zip",
                "f81d0aa9fc850b18f803292bd7ae68bd33561f6c1d12db0f68529d40eddcee24",
                368_626,
            ),
            Artifact(
                "org.opensearch.plugin",
                "opensearch-knn",
                "3.6.0.0",
                "zip",
                "ac392ca28a39b3bf290648a422ef30cb149dda2963a9d7feb26060e932341c9a",
                6_015_541,
            ),
            Artifact(
                "org.opensearch.plugin",
                "neural-search",
                "3.6.0.0",
                "zip",
                "6ef1b206e79391e2e36268e32dc34d27fd8b8a59a8eb0a7393c97d53b038e433",
                12_095_213,
            ),
            Artifact(
                "org.opensearch.plugin",
                "opensearch-ml-plugin",
                "3.6.0.0",
                "zip",
                "c051d436fe1936da1477bb999db829eb2bc92b12989e376c300d0a874fb90f9d",
                390_566_619,
            ),
        ),
        torch={"linux-x86_64": TORCH_2_5_1},
        java=JavaRange(21),
        unpacked=1_150_000_000,
    ),
}

DEFAULT_VERSION = "3.6.0"


def release(version: str) -> Release:
    """The release of a version, or LocalClusterError that names those there are."""
    if version not in RELEASES:
        raise LocalClusterError(
            f"there is no local OpenSearch {version}", hint=f"versions to choose from: {', '.join(RELEASES)}"
        )
    return RELEASES[version]
