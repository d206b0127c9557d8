"""What a release of OpenSearch consists of: published files, each with the hash that it must have."""

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

    @classmethod
    def of(cls, coordinates: str, size: int, sha256: str) -> Artifact:
        """From what ``str`` makes of one: ``group:name:packaging[:classifier]:version``."""
        group, name, packaging, *classifier, version = coordinates.split(":")
        return cls(group, name, version, packaging, sha256, size, *classifier)

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
class Module:
    """A module that is published as jars, to be made into a folder of the distribution.

    ``jars`` are its own and those that it needs beyond what the distribution's ``lib`` holds. ``extends`` names the
    module whose classes it sees. ``permissions`` are what Java's Security Manager has to grant it.
    """

    name: str
    classname: str
    jars: tuple[Artifact, ...]
    extends: str = ""
    permissions: tuple[str, ...] = ()

    def descriptor(self, version: str) -> str:
        """``plugin-descriptor.properties``, without which OpenSearch loads no module."""
        return (
            f"description={self.name}, put together by osform\n"
            f"version={version}\n"
            f"name={self.name}\n"
            f"classname={self.classname}\n"
            "java.version=11\n"
            f"opensearch.version={version}\n"
            f"extended.plugins={self.extends}\n"
            "has.native.controller=false\n"
        )

    @property
    def policy(self) -> str:
        """``plugin-security.policy``; empty where none is needed."""
        if not self.permissions:
            return ""
        return "grant {\n" + "".join(f"  permission {each};\n" for each in self.permissions) + "};\n"


@dataclass(frozen=True)
class Release:
    """One version of OpenSearch. ``plugins`` stand in the order in which they must be installed.

    ``modules`` are those that the distribution does not bring itself; plugins build on them, so they come first.
    ``unpacked`` is about what an installation takes, in bytes.
    """

    version: str
    distribution: Artifact
    plugins: tuple[Artifact, ...]
    torch: dict[str, Torch]
    java: JavaRange
    unpacked: int
    modules: tuple[Module, ...] = ()

    @property
    def securable(self) -> bool:
        """Whether it has the security plugin."""
        return any(plugin.name == "opensearch-security" for plugin in self.plugins)

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
        jars = (jar for module in self.modules for jar in module.jars)
        return (self.distribution, *jars, *self.plugins, torch.libraries, torch.jni)

    def fingerprint(self, platform: str) -> str:
        """Names an installation: other artifacts, or modules put together in another way, make another one."""
        parts = [artifact.sha256 for artifact in self.artifacts(platform)]
        parts += [module.descriptor(self.version) + module.policy for module in self.modules]
        return f"{self.version}-{hashlib.sha256(''.join(parts).encode()).hexdigest()[:8]}"
