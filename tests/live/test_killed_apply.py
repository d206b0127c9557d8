"""An apply that is killed while it uploads real weights, and the one after it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from osform.cluster.client import Cluster
from osform.cluster.models import find_models
from osform.cluster.retry import Patience
from osform.cluster.upload import stored_chunks
from tests import tiny
from tests.live.stacks import Project, lay_out
from tests.proxy import Call, Proxy, Stall

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def project(live_url: str, tmp_path: Path) -> Iterator[Project]:
    """A small stack whose model is the real MiniLM of the repository, ten chunks long, from the user's own cache."""
    project = lay_out(tmp_path, live_url, tiny.build(tmp_path))
    shutil.copytree(ROOT / "models" / "all-MiniLM-L6-v2", tmp_path / "models" / "all-MiniLM-L6-v2")
    project.edit("model/NAME", "model: tiny", "model: all-MiniLM-L6-v2")
    project.own_cache = False
    project.environ["OSFORM_LEASE"] = "15"  # the second apply waits until the killed one's is over
    yield project
    assert project.take_away().status == 0


def chunks(proxy: Proxy) -> list[int]:
    return [int(seen.path.rpartition("/")[2]) for seen in proxy.seen("upload_chunk") if seen.status == 200]


def test_after_a_kill_in_the_middle_of_an_upload_only_the_missing_chunks_are_sent(project: Project) -> None:
    victim: list[subprocess.Popen[str]] = []

    def kill_at_the_fifth_chunk(call: Call) -> Stall | None:
        if "upload_chunk" not in call.path or call.path.endswith(("/0", "/1", "/2", "/3")):
            return None
        os.kill(victim[0].pid, signal.SIGKILL)
        return Stall(600)

    with Proxy(project.url, kill_at_the_fifth_chunk) as proxy:
        command, environ = project.command("apply", "--yes", url=proxy.url)
        victim.append(subprocess.Popen(command, cwd=project.root, env=environ, text=True, stdout=subprocess.DEVNULL))
        assert victim[0].wait(300) == -signal.SIGKILL
        time.sleep(2)  # what was on its way to the server when the client died has arrived by then
    cluster = Cluster(project.url)
    (model_id,) = [key for key, model in find_models(cluster).items() if model.get("name") == project.name]
    stored = stored_chunks(cluster, model_id, 10, Patience.of(30))
    assert 0 < len(stored) < 10
    with Proxy(project.url) as proxy:
        again = project.apply("--lock-timeout", "120", url=proxy.url)  # until the killed run's lease is over
        assert again.status == 0, again.err
        assert sorted(chunks(proxy)) == sorted(set(range(10)) - stored)
        assert chunks(proxy)[-1] == 9
        assert not proxy.seen("_register_meta")
    mine = {key: model for key, model in find_models(cluster).items() if model.get("name") == project.name}
    cluster.close()
    assert {key: model["model_version"] for key, model in mine.items()} == {model_id: "1"}
    assert project.plan().status == 0
