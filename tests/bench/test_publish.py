"""Results as a page shows them."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from bench.harness import Sample, Series, Table
from bench.machine import Machine
from bench.publish import between, chart, main, markdown
from bench.report import as_json

TABLE = Table(
    "loads, short",
    "documents/s",
    "more",
    "osform",
    [
        Series("osform", [Sample(900.0, {"CPU": 2.0}), Sample(1000.0, {"CPU": 2.2})]),
        Series("a & b", [Sample(200.0), Sample(220.0)]),
        Series("never", [None, None], ["too slow", "too slow"]),
    ],
    ["documents: 2"],
)
RESULT = as_json(Machine("Linux", "a processor", 4, 0.1, {"python": "3.11"}), {"loads": [TABLE]}, {"doubts": ["busy"]})
PAGE = "# Figures\n\n<!-- bench loads -->\nold\n<!-- /bench loads -->\n\nmore\n"


def test_a_row_an_arm_with_the_reference_in_bold() -> None:
    lines = markdown(RESULT["tracks"]["loads"][0], 4).splitlines()
    assert lines[2] == "| **osform** | 950 | 925 to 975 | 1.00 | 1.00 to 1.00 | 2.1 | 2 of 2 |"
    assert lines[4] == "| never | - | - | - | - | - | 0 of 2 |"
    assert "- documents: 2" in lines


def test_a_chart_is_whole_and_has_a_bar_for_each_arm_that_finished() -> None:
    drawn = ElementTree.fromstring(chart(RESULT["tracks"]["loads"][0]))
    bars = [each for each in drawn.iter("{http://www.w3.org/2000/svg}rect") if each.get("rx")]
    assert len(bars) == 2
    assert "did not finish" in "".join(drawn.itertext())


def test_a_page_gets_the_tables_between_its_marks_and_the_charts_beside_it(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    page, result = tmp_path / "page.md", tmp_path / "result.json"
    page.write_text(PAGE)
    result.write_text(json.dumps(RESULT))
    told = CliRunner().invoke(main, [str(result), "--page", str(page)])
    assert told.exit_code == 0, told.output
    text = page.read_text()
    assert "old" not in text
    assert "**Not worth quoting:** busy." in text
    assert "![loads, short: documents/s](images/loads-1.svg)" in text
    assert text.endswith("<!-- /bench loads -->\n\nmore\n")
    assert (tmp_path / "images" / "loads-1.svg").is_file()


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(Exception, match="no <!-- bench other -->"):
        between(PAGE, "other", "new")
