"""The benchmark of osform caption."""

from __future__ import annotations

import pytest

from bench.captioning import PEAKS, roofline


@pytest.mark.parametrize(("gpu", "rate"), [("H200", 917), ("H100", 796), ("A100", 318)])
def test_the_roofline_of_a_gpu_is_that_of_its_data_sheet(gpu: str, rate: float) -> None:
    assert roofline(64, 20, *PEAKS[gpu]) == pytest.approx(rate, rel=0.01)
