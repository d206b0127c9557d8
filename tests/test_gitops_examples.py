"""examples/gitops against published schemas: the workflows of both platforms, and the Kubernetes base."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from osform.cli.watch import watch
from osform.files.watch_file import read_watch_file
from tests.docs.markdown import ROOT
from tests.forges import Forge

HERE = ROOT / "examples" / "gitops"
KUBERNETES = HERE / "kubernetes"
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


def test_the_jobs_of_gitlab_start_a_shell_and_not_the_image_s_own_command() -> None:
    assert "ENTRYPOINT" in (HERE / "Containerfile").read_text()
    image = yaml.safe_load((HERE / "gitlab" / ".gitlab-ci.yml").read_text())["default"]["image"]
    assert image["entrypoint"] == [""]


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


def rendered() -> list[dict[str, Any]]:
    """What kustomize makes of the base, by kubectl or kustomize itself."""
    tool = [["kubectl", "kustomize"], ["kustomize", "build"]]
    command = next((each for each in tool if shutil.which(each[0])), None)
    if command is None:
        pytest.skip("neither kubectl nor kustomize is there")
    done = subprocess.run([*command, str(KUBERNETES)], capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(done.stdout))


def strictly(found: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the schemas' package is not as strict with itself
        kubernetes_validate.validate(found, "1.31", strict=True)


@pytest.mark.parametrize("path", sorted(KUBERNETES.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_file_of_the_base_is_what_kubernetes_takes(path: Path) -> None:
    found = yaml.safe_load(path.read_text())
    if "kustomize" not in str(found.get("apiVersion")) and "kind" in found:
        strictly(found)


def test_the_base_renders_to_objects_that_kubernetes_takes() -> None:
    found = rendered()
    for each in found:
        strictly(each)
    kinds = {each["kind"] for each in found}
    assert {"Deployment", "Service", "ServiceAccount", "NetworkPolicy", "ConfigMap", "PodDisruptionBudget"} <= kinds


def test_the_pod_may_do_nothing_that_it_need_not() -> None:
    spec = yaml.safe_load((KUBERNETES / "deployment.yaml").read_text())["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    own = container["securityContext"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert not spec["automountServiceAccountToken"]
    assert own["readOnlyRootFilesystem"]
    assert not own["allowPrivilegeEscalation"]
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert container["livenessProbe"]
    assert container["readinessProbe"]


def test_the_watch_file_of_the_base_is_one_and_the_command_line_is_that_of_osform() -> None:
    spec = read_watch_file(KUBERNETES / "osform-watch.yaml", {})
    assert [each.environment for each in spec.targets] == ["production"]
    (container,) = yaml.safe_load((KUBERNETES / "deployment.yaml").read_text())["spec"]["template"]["spec"][
        "containers"
    ]
    known = {text for option in watch.params for text in option.opts}
    assert {each for each in container["args"] if each.startswith("--")} <= known


def test_what_argo_cd_is_given_is_a_job_that_kubernetes_takes(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests" / "specs" / "base", tmp_path / "base", dirs_exist_ok=True)
    (tmp_path / "osform").write_text('#!/bin/sh\necho checked "$@"\n')
    (tmp_path / "osform").chmod(0o755)
    environ = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}", "ARGOCD_APP_REVISION": "a" * 40,
        "ARGOCD_ENV_OSFORM_IMAGE": "osform:1", "ARGOCD_ENV_OSFORM_REPOSITORY": "https://git.example.com/s.git",
    }  # fmt: skip
    script = str(HERE / "argocd" / "osform-argocd.sh")
    done = subprocess.run(["sh", script], env=environ, capture_output=True, text=True, check=True)
    strictly(yaml.safe_load(done.stdout))
    refused = subprocess.run(["sh", script], env={**environ, "ARGOCD_APP_REVISION": "x; rm"}, check=False)
    assert refused.returncode == 1
