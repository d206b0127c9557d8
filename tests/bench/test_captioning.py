"""The benchmark of osform caption."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.captioning import PEAKS, main, roofline


@pytest.mark.parametrize(("gpu", "rate"), [("H200", 917), ("H100", 796), ("A100", 318)])
def test_the_roofline_of_a_gpu_is_that_of_its_data_sheet(gpu: str, rate: float) -> None:
    assert roofline(64, 20, *PEAKS[gpu]) == pytest.approx(rate, rel=0.01)


@pytest.mark.export
def test_it_runs_and_compares_the_texts_of_three_ways() -> None:
    words = "--pictures 8 --alone 4 --batch 4 --workers 0 --tokens 5 --side 64 --rounds 1 --threads 1"
    done = CliRunner().invoke(main, words.split(), catch_exceptions=False)
    assert done.exit_code == 0
    assert len(re.findall(r"\d a second", done.output)) == 4
    assert "s for the first batch" in done.output
    assert "for later ones, with nothing to compute, in" in done.output


def test_the_page_says_that_nothing_was_run_on_a_gpu() -> None:
    page = (Path(__file__).parents[2] / "docs" / "performance.md").read_text(encoding="utf-8")
    assert "Not run: there was no GPU" in page
