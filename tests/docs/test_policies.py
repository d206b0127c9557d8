"""The policies of docs/policies.md are policies."""

from __future__ import annotations

from pathlib import Path

from osform.files.policies import read_policies
from tests.docs.markdown import blocks, text


def test_the_policies_of_the_docs_can_be_read(tmp_path: Path) -> None:
    shown = blocks(text("docs/policies.md"), "yaml")
    for number, block in enumerate(shown):
        (tmp_path / f"{number}.yaml").write_text(block)
    found, problems = read_policies(sorted(tmp_path.iterdir()))
    assert (len(found), problems) == (len(shown), [])
