"""A release, unpacked once for all clusters: either whole under its final name or not there at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

from osform.core.events import Advanced, Begun, Ended, Report
from osform.errors import LocalClusterError
from osform.local.artifacts import Artifact, Module, Release, Torch
from osform.local.java import Java


@dataclass(frozen=True)
class Installation:
    """An unpacked release."""

    root: Path

    @property
    def home(self) -> Path:
        """What OpenSearch calls its home."""
        return self.root / "opensearch"

    @property
    def torch(self) -> Path:
        """The folder with libtorch and its JNI library."""
        return self.root / "libtorch"

    @property
    def complete(self) -> bool:
        return self.root.is_dir()


def installation(cache: Path, release: Release, platform: str) -> Installation:
    """Where a release is unpacked, or would be."""
    return Installation(cache / "opensearch" / release.fingerprint(platform))


def unpack(
    target: Installation, release: Release, platform: str, files: dict[Artifact, Path], java: Java, report: Report
) -> None:
    """Make an installation out of fetched files; what an earlier try left half done is thrown away first.

    The caller holds the lock of the cache. Raises LocalClusterError where a file is no archive or a plugin is refused.
    """
    work = Installation(target.root.with_name(f".{target.root.name}.partial"))
    shutil.rmtree(work.root, ignore_errors=True)
    work.root.mkdir(parents=True, mode=0o755)
    torch = release.torch_for(platform)
    task, total = f"unpacking OpenSearch {release.version}", len(release.plugins) + 4
    report(Begun(task, total))
    try:
        _extract(files[release.distribution], work.root)
        (work.root / f"opensearch-{release.version}").rename(work.home)
        report(Advanced(task, 1, total))
        for module in release.modules:
            _add_module(work.home / "modules" / module.name, module, release.version, files)
        report(Advanced(task, 2, total))
        for number, plugin in enumerate(release.plugins, 3):
            _install_plugin(work.home, files[plugin], java)
            report(Advanced(task, number, total))
        _take_torch(torch, files, work.torch)
        report(Advanced(task, total - 1, total))
        _open_to_all(work.root)
        work.root.rename(target.root)
    except (OSError, zipfile.BadZipFile) as error:
        raise LocalClusterError(
            f"OpenSearch {release.version} can't be unpacked into {target.root}: {error}",
            hint="check the free disk space, then run osform cluster up again",
        ) from error
    finally:
        report(Ended(task))


def _extract(archive: Path, into: Path) -> None:
    """Unpack a zip, keeping the permissions, which ``ZipFile.extractall`` forgets."""
    with zipfile.ZipFile(archive) as zipped:
        for entry in zipped.infolist():
            path = Path(zipped.extract(entry, into))
            mode = entry.external_attr >> 16
            if mode & 0o111 and not entry.is_dir():
                path.chmod(mode & 0o755)


def _add_module(folder: Path, module: Module, version: str, files: dict[Artifact, Path]) -> None:
    """Make a module's folder as the full distribution has it."""
    folder.mkdir(parents=True)
    for jar in module.jars:
        shutil.copyfile(files[jar], folder / jar.filename)
    (folder / "plugin-descriptor.properties").write_text(module.descriptor(version), encoding="utf-8")
    if module.policy:
        (folder / "plugin-security.policy").write_text(module.policy, encoding="utf-8")


def _install_plugin(home: Path, archive: Path, java: Java) -> None:
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "OPENSEARCH_JAVA_HOME": str(java.home),
        "OPENSEARCH_JAVA_OPTS": "-Xmx256m",
    }
    command = [str(home / "bin/opensearch-plugin"), "install", "--batch", archive.as_uri()]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        said = (result.stderr or result.stdout).strip().splitlines()
        raise LocalClusterError(
            f"the plugin {archive.name} can't be installed: {said[-1] if said else result.returncode}",
            hint=f"with Java {java.version} in {java.home}; another one: export OPENSEARCH_JAVA_HOME=/path/to/jdk",
        )


def _take_torch(torch: Torch, files: dict[Artifact, Path], into: Path) -> None:
    """libtorch's libraries and the JNI library, side by side in one folder: that is how DJL finds them."""
    into.mkdir()
    for artifact, under in ((torch.libraries, torch.libraries_under), (torch.jni, torch.jni_under)):
        with zipfile.ZipFile(files[artifact]) as zipped:
            names = [name for name in zipped.namelist() if name.startswith(under) and not name.endswith("/")]
            if not names:
                raise LocalClusterError(f"{artifact} holds nothing under {under}")
            for name in names:
                with zipped.open(name) as source, (into / Path(name).name).open("wb") as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)


def _open_to_all(root: Path) -> None:
    """Readable whatever the umask: where root unpacks, another user runs the nodes."""
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(folder, name)
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    root.chmod(0o755)
