"""The workflows of examples/gitops against the platforms' published schemas; every action pinned by its commit."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT
from tests.forges import Forge

HERE = ROOT / "examples" / "gitops"
WORKFLOWS = sorted((HERE / "github" / ".github" / "workflows").glob("*.yaml"))


def checked(*words: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_is_one_for_github(path: Path) -> None:
    checked("--builtin-schema", "vendor.github-workflows", str(path))


def test_the_pipeline_is_one_for_gitlab() -> None:
    path = HERE / "gitlab" / ".gitlab-ci.yml"
    checked("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", str(path))


def test_every_action_is_pinned_by_its_commit() -> None:
    used = [each for path in WORKFLOWS for each in re.findall(r"uses: (\S+)", path.read_text())]
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", each)] == []


def test_every_script_that_a_pipeline_runs_is_there() -> None:
    texts = [path.read_text() for path in (*WORKFLOWS, HERE / "gitlab" / ".gitlab-ci.yml")]
    named = {each for text in texts for each in re.findall(r"\bci/[a-z]+\.(?:sh|py)", text)}
    assert named == {f"ci/{path.name}" for path in (HERE / "ci").iterdir() if path.is_file()}


@pytest.mark.parametrize("platform", ["github", "gitlab"])
def test_secrets_come_from_vault_by_the_job_s_own_token(platform: str) -> None:
    with Forge(secrets={"OSFORM_CLUSTER": "https://search.example.com:9200"}) as vault:
        environ = {"VAULT_ADDR": vault.url, "VAULT_ROLE": "osform", "VAULT_PATH": "secret/data/osform"}
        github = {"GITHUB_ACTIONS": "1", "ACTIONS_ID_TOKEN_REQUEST_URL": f"{vault.url}/oidc?a=b"}
        github["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = "r"
        environ |= github if platform == "github" else {"VAULT_ID_TOKEN": "t"}
        command = [sys.executable, str(HERE / "ci" / "vault.py")]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "OSFORM_CLUSTER=" in done.stdout
    assert "https://search.example.com:9200" in done.stdout
