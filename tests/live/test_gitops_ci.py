"""The steps of examples/gitops as a CI system runs them: a pull request, its comment, the merge, the apply."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from osform.core.request import Request
from tests.docs.markdown import ROOT
from tests.forges import Forge
from tests.live.stacks import Files

PIPELINE = "description: d\nprocessors: [{set: {field: a, value: VALUE}}]\n"


@dataclass
class Job:
    """A checkout with the scripts in it, on one of the platforms."""

    files: Files
    forge: Forge
    platform: str

    def environ(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        common = os.environ | {"PATH": path, "OSFORM_CLUSTER": self.files.cluster.url, "NO_COLOR": "1"}
        common["OSFORM_CACHE"] = str(self.files.root.parent / "cache")
        if self.platform == "github":
            more = {"GITHUB_ACTIONS": "true", "GITHUB_API_URL": self.forge.url, "GITHUB_REPOSITORY": "o/r"}
            return {**common, **more, "GITHUB_TOKEN": "t", "GITHUB_SHA": "c", "PULL_REQUEST": "7", "GITHUB_RUN_ID": "5"}
        gitlab = {"CI_API_V4_URL": self.forge.url, "CI_PROJECT_ID": "3", "OSFORM_TOKEN": "t", "CI_COMMIT_SHA": "c"}
        return {**common, **gitlab, "CI_MERGE_REQUEST_IID": "7", "CI_JOB_URL": "https://gitlab.example.com/j/5"}

    def runs(self, line: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-ec", line], cwd=self.files.root.parent, env={**self.environ(), **more}, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=400,
        )  # fmt: skip

    def well(self, line: str, **more: str) -> str:
        done = self.runs(line, **more)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def review(self) -> str:
        """The pull request's job; the comment."""
        self.well("ci/plan.sh; python3 ci/comment.py put")
        return str(self.mine()[-1]["body"])

    def mine(self) -> list[dict[str, object]]:
        return [each for each in self.forge.comments.values() if str(each["body"]).startswith("<!-- osform plan of")]

    def merge(self) -> subprocess.CompletedProcess[str]:
        """The job after the merge, on another machine: nothing of the review is there but the comment."""
        for name in ("plan.json", "plan.md", "cache"):
            path = self.files.root.parent / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        return self.runs("python3 ci/comment.py get; ci/apply.sh")

    def by_hand(self, value: str) -> None:
        body = {"description": "d", "processors": [{"set": {"field": "a", "value": value}}]}
        self.files.cluster.send(Request("PUT", f"/_ingest/pipeline/{self.files.name}", body))


@pytest.fixture
def platform() -> str:
    return "github"


@pytest.fixture
def job(files: Files, platform: str) -> Iterator[Job]:
    shutil.copytree(ROOT / "examples" / "gitops" / "ci", files.root.parent / "ci")
    files.write("ingest_pipeline/NAME", PIPELINE.replace("VALUE", "one"))
    files.apply()
    files.edit("ingest_pipeline/NAME", "one", "two")
    with Forge() as forge:
        forge.say("<!-- osform plan of default in . -->\nnot the bot", "somebody", 2)
        yield Job(files, forge, platform)


@pytest.mark.parametrize("platform", ["github", "gitlab"])
def test_what_was_reviewed_is_applied_and_a_second_push_updates_the_comment(job: Job, platform: str) -> None:
    job.review()
    job.files.edit("ingest_pipeline/NAME", "two", "three")
    comment = job.review()
    assert len(job.mine()) == 2  # that of somebody else is left alone
    assert "three" in comment
    assert "[The whole plan](" in comment
    plan, page = (job.files.root.parent / f"plan.{end}" for end in ("json", "html"))
    assert json.loads(plan.read_text())["checksum"] in page.read_text()
    assert len(comment) <= 65_536
    done = job.merge()
    assert done.returncode == 0, done.stdout
    assert "applied 1 of 1 changes" in done.stdout


def test_a_cluster_that_has_moved_since_is_refused_with_what_moved_and_there_is_a_way_on(job: Job) -> None:
    job.review()
    job.by_hand("moved")
    done = job.merge()
    assert done.returncode == 1
    assert f"ingest_pipeline/{job.files.name}: " in done.stdout
    assert 'reviewed "one" -> "two", now "moved" -> "two"' in done.stdout
    checksum = job.well(
        "osform plan --format json | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"checksum\"])'"
    )
    job.well("ci/apply.sh", OSFORM_EXPECT=checksum.strip())
    job.well("ci/drift.sh")
    job.by_hand("again")
    assert job.runs("ci/drift.sh").returncode == 2


def test_a_merge_that_nobody_reviewed_is_not_applied(job: Job) -> None:
    done = job.merge()
    assert done.returncode == 1
    assert "nobody has reviewed this plan" in done.stdout


def test_a_plan_that_is_too_long_for_a_comment_is_cut_and_its_checksum_stays(job: Job) -> None:
    for number in range(700):
        job.files.write(f"ingest_pipeline/NAME-{number}", PIPELINE.replace("VALUE", f"{number} {'x' * 60}"))
    comment = job.review()
    assert len(comment) <= 65_536
    assert "<!-- osform-" in comment
    for number in range(700):
        job.files.path(f"ingest_pipeline/NAME-{number}").unlink()
