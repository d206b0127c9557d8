"""The table of releases."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from osform.errors import LocalClusterError
from osform.local.artifacts import Artifact, JavaRange
from osform.local.releases import RELEASES, release

PLATFORM = "linux-x86_64"
ARTIFACTS = [artifact for release in RELEASES.values() for artifact in release.artifacts(PLATFORM)]


@pytest.mark.parametrize("artifact", ARTIFACTS, ids=str)
def test_every_file_is_pinned_by_a_sha_256(artifact: Artifact) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", artifact.sha256)
    assert artifact.size > 20_000


def test_no_two_files_share_a_hash() -> None:
    assert len({artifact.sha256 for artifact in ARTIFACTS}) == len(set(ARTIFACTS))


@pytest.mark.parametrize("version", RELEASES)
def test_the_ml_plugin_is_installed_after_those_it_needs(version: str) -> None:
    assert [plugin.name for plugin in release(version).plugins] == [
        "opensearch-job-scheduler",
        "opensearch-knn",
        "neural-search",
        "opensearch-ml-plugin",
        *(["opensearch-security"] if release(version).securable else []),
    ]


@pytest.mark.parametrize("artifact", ARTIFACTS, ids=str)
def test_coordinates_make_the_file_that_says_them(artifact: Artifact) -> None:
    assert Artifact.of(str(artifact), artifact.size, artifact.sha256) == artifact


def test_a_module_comes_after_the_one_whose_classes_it_sees() -> None:
    modules = release("2.19.6").modules
    for number, module in enumerate(modules):
        assert module.extends in ("", *(before.name for before in modules[:number]))


def test_a_module_put_together_in_another_way_is_another_installation() -> None:
    made = release("2.19.6")
    first, *rest = made.modules
    other = replace(made, modules=(replace(first, permissions=()), *rest))
    assert other.fingerprint(PLATFORM) != made.fingerprint(PLATFORM)


def test_a_release_under_the_security_manager_ends_before_java_24() -> None:
    assert 17 in release("2.19.6").java
    assert 25 not in release("2.19.6").java
    assert 25 in release("3.6.0").java


def test_a_file_with_a_classifier_is_named_as_maven_names_it() -> None:
    torch = release("3.6.0").torch_for(PLATFORM).libraries
    assert torch.filename == "pytorch-native-cpu-2.5.1-linux-x86_64.jar"


def test_an_unknown_version_is_refused_with_those_there_are() -> None:
    with pytest.raises(LocalClusterError) as caught:
        release("1.0.0")
    assert "3.6.0" in str(caught.value.hint)


def test_another_platform_is_sent_to_docker() -> None:
    with pytest.raises(LocalClusterError, match="osx-aarch64") as caught:
        release("3.6.0").torch_for("osx-aarch64")
    assert "opensearch-compose.yml" in str(caught.value.hint)


def test_a_java_range_may_end_or_not() -> None:
    assert 25 in JavaRange(21)
    assert 17 not in JavaRange(21)
    assert 24 not in JavaRange(17, 23)
    assert str(JavaRange(17, 23)) == "Java 17 to 23"
