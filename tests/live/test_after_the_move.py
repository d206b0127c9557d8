"""What a replacement leaves behind once the alias has moved: killed right then, and renamed in the same apply."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest

from osform.cluster.client import Cluster
from tests.live.stacks import Project
from tests.live.test_replacing import ask, behind
from tests.live.test_replacing import project as project  # its fixture
from tests.proxy import Action, Call, PassOn, Proxy

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_an_apply_that_is_killed_while_it_writes_down_the_move_is_completed(
    project: Project, cluster: Cluster, number: int
) -> None:
    project.edit("model/NAME", "model: tiny", "model: tiny2")
    running: list[subprocess.Popen[bytes]] = []
    seen: list[str] = []

    def script(call: Call) -> Action:
        if "_aliases" in call.path or ("osform-ledger/_bulk" in call.path and seen):
            seen.append(call.path)
        if len(seen) > number:
            running[0].kill()
        return PassOn()

    with Proxy(project.url, script) as proxy:
        command, environ = project.command("apply", "--yes", "--lease", "5", "--lock-timeout", "60", url=proxy.url)
        running.append(subprocess.Popen(command, cwd=project.root, env=environ))
        assert running[0].wait(120) == -signal.SIGKILL, "it never came so far"
    done = project.apply("--lock-timeout", "60")
    assert done.status == 0, done.err
    assert behind(cluster, project.name) == [f"{project.name}-v2"]
    assert ask(cluster, "GET", f"/{project.name}/_count")["count"] == 300
    assert (project.plan().status, project.run("drift").status) == (0, 0)
    back = project.run("rollback", f"index/{project.name}")
    assert back.status == 0, back.err


def test_an_index_renamed_and_made_anew_in_one_apply_can_be_rolled_back_under_its_new_name(
    project: Project, cluster: Cluster
) -> None:
    old, new = project.name, f"{project.name}-new"
    project.edit("model/NAME", "model: tiny", "model: tiny2")
    project.path("index/NAME").rename(project.path("index/NAME-new"))
    stack = project.root / "provision" / "stack.yaml"
    stack.write_text(f"{stack.read_text()}moved: {json.dumps({f'index/{old}': f'index/{new}'})}\n")
    done = project.apply()
    assert done.status == 0, done.err
    assert (project.plan().status, project.run("drift").status) == (0, 0)
    (now,) = behind(cluster, new)
    assert ask(cluster, "GET", f"/{new}/_count")["count"] == 300
    back = project.run("rollback", f"index/{new}", "--format", "json")
    assert (back.status, back.json["before"]) == (0, now), back.err
    assert behind(cluster, new) == [back.json["now"]]
    project.edit("model/NAME", "model: tiny2", "model: tiny")
    assert project.apply().status == 0
    assert project.plan().status == 0
