"""Installations: whole, or not there."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from osform.core.events import silent
from osform.errors import LocalClusterError
from osform.local.artifacts import Artifact, JavaRange, Module, Release, Torch
from osform.local.install import installation, unpack
from osform.local.java import Java

PLATFORM = "linux-x86_64"
JAVA = Java(Path("/jdk"), "21")
DISTRIBUTION = Artifact("g", "opensearch", "9.9.9", "zip", "a" * 64, 1)
PLUGIN = Artifact("g", "plugin", "9.9.9.0", "zip", "b" * 64, 1)
LIBTORCH = Artifact("g", "torch", "1", "jar", "c" * 64, 1)
JNI = Artifact("g", "jni", "1", "jar", "d" * 64, 1)
RELEASE = Release(
    "9.9.9", DISTRIBUTION, (PLUGIN,), {PLATFORM: Torch("1", LIBTORCH, "lib/", JNI, "jni/")}, JavaRange(21), 1
)
JAR = Artifact("g", "painless", "9.9.9", "jar", "e" * 64, 1)
MODULE = Module(
    "lang", "org.Lang", (JAR,), extends="base", permissions=('java.lang.RuntimePermission "getClassLoader"',)
)
INSTALLS = '#!/bin/sh\necho "$OPENSEARCH_JAVA_HOME $*" >> "$(dirname "$0")/../plugins/installed"\n'
REFUSES = '#!/bin/sh\necho "ERROR: no such plugin" >&2\nexit 1\n'


def archive(path: Path, files: dict[str, str], mode: int = 0o644) -> Path:
    with zipfile.ZipFile(path, "w") as zipped:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            zipped.writestr(entry, text)
    return path


def published(folder: Path, program: str = INSTALLS) -> dict[Artifact, Path]:
    """A tiny release: its plugin tool is a script that writes down how it is called, or refuses."""
    home = "opensearch-9.9.9"
    tree = {f"{home}/bin/opensearch-plugin": program, f"{home}/plugins/README": "", f"{home}/config/jvm.options": ""}
    return {
        DISTRIBUTION: archive(folder / "opensearch.zip", tree, 0o755),
        PLUGIN: archive(folder / "plugin.zip", {"x": ""}),
        LIBTORCH: archive(folder / "torch.jar", {"lib/libtorch.so": "torch", "META-INF/x": ""}),
        JNI: archive(folder / "jni.jar", {"jni/libdjl_torch.so": "jni", "win/djl_torch.dll": ""}),
    }


def test_a_release_is_unpacked_with_its_plugins_and_its_libraries(tmp_path: Path) -> None:
    target = installation(tmp_path / "cache", RELEASE, PLATFORM)
    unpack(target, RELEASE, PLATFORM, published(tmp_path), JAVA, silent)
    assert sorted(path.name for path in target.torch.iterdir()) == ["libdjl_torch.so", "libtorch.so"]
    called = (target.home / "plugins/installed").read_text()
    assert called == f"/jdk install --batch {(tmp_path / 'plugin.zip').as_uri()}\n"
    assert [path.name for path in target.root.parent.iterdir()] == [target.root.name]


def test_modules_that_the_distribution_lacks_are_put_together_from_their_jars(tmp_path: Path) -> None:
    release = replace(RELEASE, modules=(MODULE, replace(MODULE, name="plain", permissions=())))
    target = installation(tmp_path / "cache", release, PLATFORM)
    files = {**published(tmp_path), JAR: archive(tmp_path / "painless.jar", {"Lang.class": ""})}
    unpack(target, release, PLATFORM, files, JAVA, silent)
    folder = target.home / "modules/lang"
    assert sorted(path.name for path in folder.iterdir()) == [
        "painless-9.9.9.jar", "plugin-descriptor.properties", "plugin-security.policy",
    ]  # fmt: skip
    described = (folder / "plugin-descriptor.properties").read_text().splitlines()
    assert {"name=lang", "classname=org.Lang", "opensearch.version=9.9.9", "extended.plugins=base"} <= set(described)
    granted = 'grant {\n  permission java.lang.RuntimePermission "getClassLoader";\n};\n'
    assert (folder / "plugin-security.policy").read_text() == granted
    assert not (target.home / "modules/plain/plugin-security.policy").exists()


def test_what_was_left_half_unpacked_is_begun_anew(tmp_path: Path) -> None:
    target = installation(tmp_path / "cache", RELEASE, PLATFORM)
    half = target.root.with_name(f".{target.root.name}.partial")
    (half / "opensearch/plugins/half").mkdir(parents=True)
    unpack(target, RELEASE, PLATFORM, published(tmp_path), JAVA, silent)
    assert target.complete
    assert not (target.home / "plugins/half").exists()


def test_a_plugin_that_is_refused_leaves_no_installation(tmp_path: Path) -> None:
    target = installation(tmp_path / "cache", RELEASE, PLATFORM)
    with pytest.raises(LocalClusterError, match=r"plugin\.zip can't be installed: ERROR: no such plugin"):
        unpack(target, RELEASE, PLATFORM, published(tmp_path, REFUSES), JAVA, silent)
    assert not target.complete


def test_a_file_that_is_no_archive_is_told_as_such(tmp_path: Path) -> None:
    files = published(tmp_path)
    files[DISTRIBUTION].write_text("not a zip")
    with pytest.raises(LocalClusterError, match="can't be unpacked"):
        unpack(installation(tmp_path / "cache", RELEASE, PLATFORM), RELEASE, PLATFORM, files, JAVA, silent)


def test_paths_out_of_an_archive_lead_nowhere(tmp_path: Path) -> None:
    files = published(tmp_path)
    with zipfile.ZipFile(files[DISTRIBUTION], "a") as zipped:
        zipped.writestr("../../../outside", "harm")
        zipped.writestr("/tmp/osform-outside", "harm")
    with zipfile.ZipFile(files[LIBTORCH], "a") as zipped:
        zipped.writestr("lib/../../outside", "harm")
    unpack(installation(tmp_path / "cache", RELEASE, PLATFORM), RELEASE, PLATFORM, files, JAVA, silent)
    place = installation(tmp_path / "cache", RELEASE, PLATFORM).root
    assert all(path.is_relative_to(place) for path in tmp_path.rglob("*outside"))
    assert not Path("/tmp/osform-outside").exists()


def test_other_files_make_another_installation(tmp_path: Path) -> None:
    other = Release("9.9.9", DISTRIBUTION, (), RELEASE.torch, JavaRange(21), 1)
    assert installation(tmp_path, RELEASE, PLATFORM) != installation(tmp_path, other, PLATFORM)
