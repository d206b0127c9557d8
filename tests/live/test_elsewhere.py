"""Models that osform doesn't package, on a real cluster: behind a connector, and fetched by the server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from osform.cli.main import cli
from osform.cluster.client import Cluster
from osform.cluster.predict import predict, probe
from osform.core.events import Event, Note
from osform.core.request import Request
from osform.errors import ApplyFailed
from osform.flows.drifting import Drift
from osform.flows.ingesting import ingest
from osform.flows.stack import Stack
from tests import tiny
from tests.live.every_kind import CONNECTOR, REMOTE, TRUST
from tests.live.loopback import Loopback
from tests.live.stacks import Files
from tests.proxy import Answer, Call, Proxy

GROUP = "description: a test\n"
# 2.19 wants a framework_type of a remote model as well; 3.6 takes one.
CONFIG = "model_config: {model_type: any, embedding_dimension: 4, framework_type: sentence_transformers}\n"
FETCH = (
    "persistent:\n"
    "  plugins.ml_commons.allow_registering_model_via_url: true\n"
    "  plugins.ml_commons.trusted_url_regex: '^http://127\\.0\\.0\\.1:.*$'\n"
)


@pytest.fixture
def elsewhere() -> Iterator[Loopback]:
    with Loopback() as server:
        yield server


@pytest.fixture
def remote(files: Files, elsewhere: Loopback) -> Files:
    """A stack with a remote model that embeds, applied."""
    files.environ["KEY"] = "sesame-one"
    files.write("cluster_settings/NAME", TRUST)
    files.write("connector/NAME", CONNECTOR.replace("http://127.0.0.1:9", elsewhere.url))
    files.write("model_group/NAME", GROUP)
    files.write("model/NAME", REMOTE + "probe: a cat\n" + CONFIG)
    pipeline = "text_embedding: {model_id: '${model/NAME.model_id}', field_map: {text: v}}"
    files.write("ingest_pipeline/NAME", f"processors: [{{{pipeline}}}]\n")
    files.apply()
    return files


def stored(files: Files, what: str) -> Any:
    chunks = {"exists": {"field": "chunk_number"}}
    body = {"query": {"bool": {"filter": {"term": {"name.keyword": files.name}}, "must_not": chunks}}}
    (hit,) = files.cluster.send(Request("POST", f"/_plugins/_ml/{what}/_search", body))["hits"]["hits"]
    return hit


def test_a_remote_model_is_asked_with_its_credential_and_serves_a_pipeline(remote: Files, elsewhere: Loopback) -> None:
    assert remote.plan().empty
    assert set(elsewhere.keys) == {"Bearer sesame-one"}
    model = stored(remote, "models")["_id"]
    assert remote.cluster.send(Request("GET", f"/_plugins/_ml/models/{model}"))["model_state"] == "DEPLOYED"
    assert predict(remote.cluster, model, ["a", "b"]) == [[0.5] * 4] * 2


def test_a_new_credential_is_in_use_after_an_apply_that_names_the_model(remote: Files, elsewhere: Loopback) -> None:
    remote.environ["KEY"] = "sesame-two"
    (change,) = remote.plan().changes
    (difference,) = change.differences
    assert difference.path == ("credential", "key")
    assert "sesame" not in f"{change}"
    seen: list[Event] = []
    remote.apply(seen.append)
    model = stored(remote, "models")["_id"]
    assert f"undeploying model {model}, which uses the connector" in [e.text for e in seen if isinstance(e, Note)]
    assert remote.plan().empty
    elsewhere.keys.clear()
    predict(remote.cluster, model, ["a"])
    assert elsewhere.keys == ["Bearer sesame-two"]


def test_a_text_that_a_remote_model_refuses_fails_alone(remote: Files, elsewhere: Loopback, tmp_path: Path) -> None:
    pipeline = "default_pipeline: '${ingest_pipeline/NAME.name}'"
    vector = "v: {type: knn_vector, dimension: 4, method: {name: hnsw, engine: lucene, space_type: l2}}"
    fields = f"mappings: {{properties: {{text: {{type: text}}, {vector}}}}}"
    remote.write("index/NAME", f"settings: {{index: {{knn: true, {pipeline}}}}}\n{fields}\n")
    remote.apply()
    texts = ["a cat " * (400 if number == 17 else 1) + str(number) for number in range(40)]
    rows = "".join(json.dumps({"id": str(number), "text": text}) + "\n" for number, text in enumerate(texts))
    Path(tmp_path, "rows.jsonl").write_text(rows)
    done = ingest(
        remote.cluster, remote.name, [str(tmp_path / "rows.jsonl")], dead_letter=tmp_path / "dead", state=tmp_path
    )
    assert (done.indexed, done.failed, done.without_vector) == (39, 1, 0)
    assert "maximum context length exceeded" in Path(tmp_path, "dead").read_text()
    assert done.waited == 0


def test_no_credential_is_in_the_ledger(remote: Files) -> None:
    answer = remote.cluster.send(Request("POST", "/osform-ledger/_search", {"size": 1000}))
    assert f"connector/{remote.name}" in str(answer)
    assert "sesame" not in str(answer)


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_remote_model_that_does_not_answer_is_drift_that_shows_no_key_and_promises_no_apply(
    status: int, remote: Files, elsewhere: Loopback
) -> None:
    assert drifted(remote) == ()
    elsewhere.keys.clear()
    assert remote.plan().empty
    assert elsewhere.keys == []  # an answer may cost money: a plan asks nothing
    elsewhere.refuses = status
    (found,) = drifted(remote)
    assert (found.address.kind, found.what, len(elsewhere.keys)) == ("model", "not answering", 1)
    assert "Incorrect API key provided: (secret ${env.KEY})" in found.detail
    assert "sesame" not in str(found.to_json())
    assert f"connector/{remote.name}" in found.next
    assert "apply" not in found.next
    assert remote.plan().empty
    elsewhere.refuses = 0
    assert drifted(remote) == ()


def test_drift_says_what_an_apply_mends_and_what_it_does_not(remote: Files, elsewhere: Loopback, live_url: str) -> None:
    shell = CliRunner(env={**remote.environ, "OSFORM_CLUSTER": live_url})
    words = ["drift", "--provision", str(remote.root)]
    elsewhere.refuses = 500
    said = shell.invoke(cli, words, catch_exceptions=False).stdout
    assert f"next: the service behind connector/{remote.name} has to answer" in said
    assert "1 drifted\n" in said
    remote.cluster.send(Request("PUT", f"/_ingest/pipeline/{remote.name}", {"processors": []}))
    assert "2 drifted. next: osform apply, for 1 of them\n" in shell.invoke(cli, words, catch_exceptions=False).stdout


def test_a_remote_model_whose_probe_the_files_have_changed_is_not_asked(remote: Files, elsewhere: Loopback) -> None:
    remote.edit("model/NAME", "probe: a cat", "probe: a dog")
    elsewhere.refuses = 500
    assert drifted(remote) == ()


def test_a_model_is_fetched_by_the_server_and_deployed(files: Files, elsewhere: Loopback, tmp_path: Path) -> None:
    model = tiny.build(tmp_path)
    elsewhere.files["/tiny.zip"] = model.bundle.read_bytes()
    files.write("cluster_settings/NAME", FETCH)
    files.write("model_group/NAME", GROUP)
    files.write("model/NAME", by_url(elsewhere.url, hashlib.sha256(elsewhere.files["/tiny.zip"]).hexdigest()))
    files.apply()
    assert files.plan().empty
    assert probe(files.cluster, stored(files, "models")["_id"], model.probes, least_cosine=0.9999) > 0.9999
    files.edit("model/NAME", "one", "two")
    assert [change.action for change in files.plan().changes] == ["update"]
    files.apply()
    assert files.plan().empty


def test_bytes_that_are_not_those_of_the_hash_are_refused(files: Files, elsewhere: Loopback, tmp_path: Path) -> None:
    elsewhere.files["/tiny.zip"] = tiny.build(tmp_path).bundle.read_bytes()
    files.write("cluster_settings/NAME", FETCH)
    files.write("model_group/NAME", GROUP)
    files.write("model/NAME", by_url(elsewhere.url, "ab" * 32))
    with pytest.raises(ApplyFailed) as failed:
        files.apply()
    assert "the server could not register the model" in str(failed.value)
    assert "sha256sum" in str(failed.value)


@pytest.fixture
def signed(files: Files, elsewhere: Loopback, tmp_path: Path) -> Files:
    """A stack with a model behind a signed address; nothing of it is on the cluster yet."""
    elsewhere.files["/tiny.zip?v=1&sig=Sesame%2Bsig"] = content = tiny.build(tmp_path).bundle.read_bytes()
    files.environ["URL"] = f"{elsewhere.url}/tiny.zip?v=1&sig=Sesame%2Bsig"
    files.write("cluster_settings/NAME", FETCH)
    files.write("model_group/NAME", GROUP)
    body = by_url(elsewhere.url, hashlib.sha256(content).hexdigest())
    files.write("model/NAME", body.replace(f"{elsewhere.url}/tiny.zip", "${env.URL}"))
    return files


def test_a_signed_address_is_in_no_plan_event_or_ledger_and_a_new_signature_makes_no_other_model(
    signed: Files, elsewhere: Loopback
) -> None:
    said: list[Event] = []
    plan = str(signed.plan().to_json())
    signed.apply(said.append)
    assert signed.plan().empty
    before = stored(signed, "models")["_id"]
    signed.environ["URL"] += "&sig=Sesame-two"
    assert drifted(signed) == ()
    (change,) = signed.plan().changes
    assert (change.action, [each.path for each in change.differences]) == ("update", [("url",)])
    signed.apply(said.append)
    assert stored(signed, "models")["_id"] == before
    query = {"query": {"term": {"stack": Stack.load(signed.root, environ=signed.environ).spec.name}}, "size": 1000}
    ledger = str(signed.cluster.send(Request("POST", "/osform-ledger/_search", query)))
    assert f"model/{signed.name}" in ledger
    assert "Sesame" not in f"{plan} {change} {said} {ledger} {drifted(signed)}"


def test_what_the_server_says_of_a_signed_address_that_it_can_not_fetch_is_shown_without_it(
    signed: Files, elsewhere: Loopback
) -> None:
    elsewhere.files.clear()
    said: list[Event] = []
    with pytest.raises(ApplyFailed) as failed:
        signed.apply(said.append)
    assert "the server could not register the model" in str(failed.value)
    assert "Sesame" not in f"{failed.value} {said}"


def test_a_fetched_model_that_does_not_answer_is_drift_and_apply_deploys_it_anew(signed: Files) -> None:
    signed.apply()

    def mute(call: Call) -> Answer | None:
        if "_predict" not in call.path or proxy.seen("_undeploy"):
            return None
        return Answer(500, {"error": {"type": "m_l_exception", "reason": "no"}})

    with Proxy(signed.worker.url, mute) as proxy, closing(Cluster(proxy.url)) as worker:
        stack = Stack.load(signed.root, environ=signed.environ)
        (found,) = stack.drift(worker)
        assert (found.what, found.next) == ("not answering", "osform apply")
        stack.apply(worker).check()
        assert [change.path for change in proxy.seen("_deploy")]
    assert drifted(signed) == ()


def drifted(files: Files) -> tuple[Drift, ...]:
    return Stack.load(files.root, environ=files.environ).drift(files.worker)


def by_url(url: str, sha256: str) -> str:
    config = "{model_type: bert, embedding_dimension: 32, framework_type: sentence_transformers, pooling_mode: cls}"
    return (
        f"url: {url}/tiny.zip\nmodel_content_hash_value: {sha256}\nformat: onnx\nmodel_config: {config}\n"
        "group: ${model_group/NAME.model_group_id}\ndescription: one\nprobe: a cat\n"
    )
