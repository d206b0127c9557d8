"""Every family of encoders on a real ML node, as TorchScript and as ONNX, in every pooling: it answers as its source.

Weights are tiny and random; the export runs in this process, without the fresh one around it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from osform.cluster.client import Cluster
from osform.cluster.deploy import deploy
from osform.cluster.models import delete, delete_group
from osform.cluster.predict import probe
from osform.cluster.register import register
from osform.core.events import silent
from osform.core.models import FORMATS, Format, FunctionName, Precision
from osform.core.request import Request
from osform.kinds import ml
from tests import families

soak = pytest.mark.soak
pytestmark = [
    pytest.mark.export,
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning"),
]
SAMPLE = {("modernbert", "mean", "torch_script"), ("xlm-roberta", "lasttoken", "onnx")}
COMBINATIONS = [
    (family, pooling, format) for family in families.FAMILIES for pooling in families.POOLINGS for format in FORMATS
]


@pytest.fixture
def group(cluster: Cluster) -> Iterator[str]:
    """A model group of the test's own, gone with its models at the end."""
    setting = {"plugins.ml_commons.allow_registering_model_via_local_file": True}
    cluster.send(Request("PUT", "/_cluster/settings", {"persistent": setting}))
    group_id = cluster.send(ml.register_group({"name": f"test-{uuid.uuid4().hex[:12]}"}))["model_group_id"]
    yield group_id
    delete_group(cluster, group_id)


@pytest.mark.parametrize(
    ("family", "pooling", "format"),
    [pytest.param(*each, marks=() if each in SAMPLE else soak, id="-".join(each)) for each in COMBINATIONS],
)
def test_a_deployed_encoder_answers_as_its_source(
    cluster: Cluster, group: str, tmp_path: Path, family: str, pooling: str, format: Format
) -> None:
    dense = families.POOLINGS.index(pooling) % 2 == 0  # a Dense layer in every other
    source = families.build(tmp_path / "weights", family, pooling=pooling, dense=dense, normalize=pooling != "max")
    assert deployed(cluster, group, source, format, "text_embedding", families.PROBES) > 0.9999


@pytest.mark.parametrize(
    ("family", "format"),
    list(product(families.FAMILIES, FORMATS)),
)
@pytest.mark.soak
def test_a_deployed_cross_encoder_scores_as_its_source(
    cluster: Cluster, group: str, tmp_path: Path, family: str, format: Format
) -> None:
    source = families.cross_encoder(tmp_path / "weights", family)
    pairs = tuple(json.dumps([question, text]) for question in families.PROBES[:2] for text in families.PROBES)
    assert deployed(cluster, group, source, format, "text_similarity", pairs) > 0.9999


@pytest.mark.parametrize(
    ("family", "format"),
    list(product(families.FAMILIES, FORMATS)),
)
@pytest.mark.soak
def test_a_deployed_sparse_encoder_weighs_tokens_as_its_source(
    cluster: Cluster, group: str, tmp_path: Path, family: str, format: Format
) -> None:
    source = families.sparse_encoder(tmp_path / "weights", family)
    assert deployed(cluster, group, source, format, "sparse_encoding", families.PROBES) > 0.9999


def test_a_deployed_encoder_whose_weights_are_in_16_bits_answers_as_its_source(
    cluster: Cluster, group: str, tmp_path: Path
) -> None:
    source = families.build(tmp_path / "weights", "bert", dense=True)
    assert deployed(cluster, group, source, "onnx", "text_embedding", families.PROBES, "fp16") > 0.9999


def deployed(
    cluster: Cluster,
    group: str,
    source: Path,
    format: Format,
    function_name: FunctionName,
    probes: tuple[str, ...],
    precision: Precision = "fp32",
) -> float:
    """Export, register, deploy, ask; the least closeness of the answers to those of the source."""
    from osform.export.jobs import Job
    from osform.export.work import carry_out

    bundle = source.with_suffix(".zip")
    job = Job(str(source), format, precision, str(bundle), probes, make=True, function_name=function_name)
    answer = carry_out(job, silent)
    meta = {
        "name": "tiny",
        "function_name": answer.function_name,
        "model_format": format.upper(),
        "model_group_id": group,
        **({"model_config": answer.model_config} if answer.model_config else {}),
    }
    model_id = register(
        cluster, meta, bundle, model_id=None, remember=lambda _: None, report=silent, deadline_seconds=120
    )
    try:
        deploy(cluster, model_id)
        expected = tuple(zip(probes, answer.vectors, strict=True))
        return probe(cluster, model_id, expected, least_cosine=0.9999, function_name=answer.function_name)
    finally:
        delete(cluster, model_id)
