"""The same files on the other releases: a sample of what ``make soak`` runs whole there (docs/versions.md)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from osform.cluster.client import Cluster
from osform.core.request import Request
from osform.errors import LocalClusterError, RequestFailed
from osform.flows import local_cluster
from osform.local import java as javas
from osform.local.releases import DEFAULT_VERSION, RELEASES, release
from tests import tiny
from tests.live.stacks import Project, lay_out

OTHERS = [version for version in RELEASES if version != DEFAULT_VERSION]


@pytest.fixture(scope="module", params=OTHERS)
def version(request: pytest.FixtureRequest) -> str:
    """A release that is not the default one, skipped where this machine has no Java for it."""
    wanted = str(request.param)
    try:
        javas.find(release(wanted).java, local_cluster.Host.this().env, f"OpenSearch {wanted}")
    except LocalClusterError as error:
        pytest.skip(str(error))
    return wanted


@pytest.fixture(scope="module")
def url(version: str, live_name: str, live_port: int) -> Iterator[str]:
    """One small node of that release, which does all."""
    name = f"{live_name}-{version.replace('.', '-')}"
    local_cluster.down(name, purge=True)
    asked = local_cluster.Asked(port=live_port + 4, single=True, heap="640m", version=version)
    status = local_cluster.up(name, asked)
    assert status.spec is not None
    yield status.spec.url
    local_cluster.down(name, purge=True)


@pytest.fixture(scope="module")
def project(url: str, tmp_path_factory: pytest.TempPathFactory) -> Project:
    model = tiny.build(tmp_path_factory.mktemp("tiny"))
    return lay_out(tmp_path_factory.mktemp("stack"), url, model)


@pytest.mark.soak
def test_a_stack_goes_its_whole_way_on_another_release(project: Project, version: str) -> None:
    cluster = Cluster(project.url)
    assert cluster.send(Request("GET", "/"))["version"]["number"] == version
    applied = project.apply()
    assert applied.status == 0, applied.err
    assert project.plan().status == 0

    document = {"text": "a cat on a sofa"}
    cluster.send(Request("PUT", f"/{project.name}/_doc/1", document, {"refresh": "true"}))
    assert len(cluster.send(Request("GET", f"/{project.name}/_doc/1"))["_source"]["vector"]) == tiny.DIMENSION
    cluster.send(Request("DELETE", f"/{project.name}/_doc/1", params={"refresh": "true"}))

    project.edit("ingest_pipeline/NAME-pipeline", "batch_size: 4", "batch_size: 8")
    (change,) = project.plan().json["changes"]
    assert [each["path"] for each in change["differences"]] == ["processors[0].text_embedding.batch_size"]
    assert project.apply().status == 0

    assert project.take_away().status == 0
    with pytest.raises(RequestFailed, match="404"):
        cluster.send(Request("GET", f"/_ingest/pipeline/{project.name}-pipeline"))
    assert not any(index.startswith(project.name) for index in cluster.send(Request("GET", "/_alias")))
    cluster.close()
