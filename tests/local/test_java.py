"""Which Java is chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from osform.errors import LocalClusterError
from osform.local.artifacts import JavaRange
from osform.local.java import Java, choose, find, homes, inspect

WHOLE = "java.base jdk.localedata jdk.zipfs"


def jdk(home: Path, version: str | None, modules: str | None = WHOLE) -> Path:
    """A folder that looks like a Java: a program that says nothing, and a release file where there is a version."""
    (home / "bin").mkdir(parents=True)
    (home / "bin/java").touch(mode=0o755)
    lines = [f'JAVA_VERSION="{version}"'] if version else []
    lines += [f'MODULES="{modules}"'] if modules else []
    if lines:
        (home / "release").write_text("\n".join(lines))
    return home


def test_a_newer_java_is_found_where_the_default_is_too_old(tmp_path: Path) -> None:
    old = jdk(tmp_path / "usr/lib/jvm/java-17", "17.0.15")
    new = jdk(tmp_path / "usr/lib/jvm/temurin-25", "25.0.3")
    env = {"PATH": str(old / "bin")}
    found = [inspect(home) for home in homes(env, tmp_path, tmp_path / "home")]
    assert found[0] == Java(old, "17.0.15")
    assert choose(JavaRange(21), [java for java in found if java], "OpenSearch").home == new


def test_the_users_own_choice_comes_first(tmp_path: Path) -> None:
    chosen, other = jdk(tmp_path / "mine", "21"), jdk(tmp_path / "theirs", "25")
    env = {"OPENSEARCH_JAVA_HOME": str(chosen), "JAVA_HOME": str(other)}
    assert find(JavaRange(21), env, "OpenSearch").home == chosen


def test_a_newer_java_is_no_better_where_the_range_ends(tmp_path: Path) -> None:
    javas = [Java(tmp_path, "25.0.3"), Java(tmp_path, "23.0.1")]
    assert choose(JavaRange(17, 23), javas, "OpenSearch").feature == 23


def test_a_trimmed_java_is_passed_over(tmp_path: Path) -> None:
    trimmed = inspect(jdk(tmp_path / "trimmed", "21.0.2", modules="java.base"))
    whole = inspect(jdk(tmp_path / "whole", "21.0.1"))
    assert trimmed
    assert whole
    assert choose(JavaRange(21), [trimmed, whole], "OpenSearch") == whole


def test_a_java_without_a_release_file_is_asked(tmp_path: Path) -> None:
    home = jdk(tmp_path / "jdk", None, modules=None)

    def run(command: list[str]) -> str:
        return 'openjdk version "21.0.4" 2024-07-16' if command[-1] == "-version" else "jdk.localedata@21.0.4"

    assert inspect(home, run) == Java(home, "21.0.4")


def test_a_folder_without_java_is_none(tmp_path: Path) -> None:
    assert inspect(tmp_path) is None


@pytest.mark.parametrize(("version", "feature"), [("1.8.0_402", 8), ("21", 21), ("25.0.3", 25), ("23-ea", 23), ("", 0)])
def test_the_feature_version_is_read_from_old_and_new_numbers(version: str, feature: int) -> None:
    assert Java(Path("/jdk"), version).feature == feature


def test_none_that_fits_is_one_sentence_with_what_there_is_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(LocalClusterError) as caught:
        choose(JavaRange(21), [Java(Path("/jdk17"), "17.0.15")], "OpenSearch 3.6.0")
    assert caught.value.message == "OpenSearch 3.6.0 needs Java 21 or newer, a whole JDK; found: Java 17.0.15 in /jdk17"
    assert "OPENSEARCH_JAVA_HOME" in str(caught.value.hint)
    assert "apt install openjdk-21" in str(caught.value.hint)


def test_a_java_that_the_nodes_account_may_not_run_is_passed_over(tmp_path: Path) -> None:
    hidden, open_ = jdk(tmp_path / "hidden", "25"), jdk(tmp_path / "open", "21")
    env = {"OPENSEARCH_JAVA_HOME": str(hidden), "JAVA_HOME": str(open_)}
    assert find(JavaRange(21), env, "OpenSearch", lambda program: hidden not in program.parents).home == open_


def test_a_java_that_the_nodes_account_may_not_run_is_no_secret_where_none_else_fits(tmp_path: Path) -> None:
    env = {"OPENSEARCH_JAVA_HOME": str(jdk(tmp_path / "hidden", "25"))}
    with pytest.raises(LocalClusterError) as caught:
        find(JavaRange(99), env, "OpenSearch", lambda program: tmp_path not in program.parents)
    assert f"Java 25 in {tmp_path}/hidden, which the account of the nodes can't run" in caught.value.message
