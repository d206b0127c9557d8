"""``osform schema``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from osform.cli.main import main
from osform.files.schemas import names


def ran(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return int(str(ended.value.code))


def test_a_kind_s_schema_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("schema", "index") == 0
    assert json.loads(capsys.readouterr().out)["title"] == "provision/index/NAME.yaml"


def test_all_schemas_go_into_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("schema", "--out", str(tmp_path / "schemas")) == 0
    written = {path.name for path in (tmp_path / "schemas").iterdir()}
    assert written == {f"{name}.schema.json" for name in names()}
    assert len(capsys.readouterr().out.splitlines()) == len(written)


def test_an_unknown_kind_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("schema", "indx") == 1
    assert "did you mean index?" in capsys.readouterr().err
