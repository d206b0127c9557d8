"""Every family of encoders, in every pooling: the bundle answers as sentence-transformers does.

The export runs in this process here, without the fresh one around it, so that a test takes a second.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from osform.core.events import silent
from osform.core.models import Format
from osform.export.jobs import Answer, Job
from osform.export.work import carry_out
from tests import families

pytestmark = [
    # torch says that TorchScript is deprecated; it is what the server loads.
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning"),
]


def exported(source: Path, format: Format) -> Answer:
    bundle = str(source.with_suffix(".zip"))
    return carry_out(Job(str(source), format, "fp32", bundle, families.PROBES, make=True), silent)


@pytest.mark.parametrize("format", ["torch_script", "onnx"])
@pytest.mark.parametrize("family", families.FAMILIES)
def test_a_family_agrees_with_its_source(tmp_path: Path, family: str, format: Format) -> None:
    answer = exported(families.build(tmp_path / "weights", family, dense=True), format)
    assert min(answer.cosines) > 0.999999
    assert answer.dimension == 16
    assert answer.max_length == families.LENGTH


@pytest.mark.parametrize("format", ["torch_script", "onnx"])
@pytest.mark.parametrize("pooling", families.POOLINGS)
def test_a_pooling_agrees_with_its_source(tmp_path: Path, pooling: str, format: Format) -> None:
    answer = exported(families.build(tmp_path / "weights", "bert", pooling=pooling), format)
    assert min(answer.cosines) > 0.999999
