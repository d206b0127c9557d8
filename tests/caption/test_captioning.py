"""Whole runs: lines, figures, resumption, tables, lists, shards, addresses."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import resource
import shutil
import tarfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest

from osform.caption.engines import Loading
from osform.caption.memory import batch_for, bytes_a_picture
from osform.caption.prompts import Turn, Uses
from osform.caption.replicas import Replicas
from osform.core.events import Advanced, Event
from osform.errors import CaptionError, InputError
from osform.flows.captioning import Captioned, Manner, Model, describe
from osform.flows.picture_inputs import Inputs, pictures
from osform.images.fetching import Web
from tests.caption import hard
from tests.caption.drawn import folder_of, picture
from tests.caption.server import Fate, bad, fates, serving

THREADS = Manner(workers=0, batch=7)  # processes that decode take seconds to start; one test has them


def run(model: Path, out: Path, *names: Path | str, manner: Manner = THREADS, tokens: int = 6, **how: Any) -> Captioned:
    inputs = how.pop("inputs", None) or Inputs(tuple(map(str, names)))
    return describe(inputs, out, Model(str(model), device="cpu", max_new_tokens=tokens), manner=manner, **how)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_line_has_the_keys_that_ingest_takes_and_the_order_is_that_of_the_pictures(opt: Path, tmp_path: Path) -> None:
    done = run(opt, tmp_path / "out.jsonl", folder_of(tmp_path / "pictures", 10))
    lines = read(tmp_path / "out.jsonl")
    assert list(lines[0]) == ["image", "sha256", "prompt", "description", "model", "revision"]
    assert [Path(line["image"]).name for line in lines] == [f"{number:04}.png" for number in range(10)]
    assert (done.run.described, done.failed, done.run.lines, done.run.finished) == (10, 0, 10, True)


def test_sixty_hard_files_are_described_or_recorded(opt: Path, tmp_path: Path) -> None:
    expected = hard.make(tmp_path / "hard")
    done = run(opt, tmp_path / "out.jsonl", tmp_path / "hard", manner=Manner(workers=2, batch=16))
    lines = {Path(line["image"]).name: line for line in read(tmp_path / "out.jsonl")}
    assert {name: "error" in line for name, line in lines.items()} == {
        name: reason is not None for name, reason in expected.items()
    }
    bad = sum(reason is not None for reason in expected.values())
    assert (done.run.pictures, done.failed, done.run.failed) == (60, bad, bad)
    # The very same bytes: the two, what has another name, and the frame that is a picture of its own is none.
    assert done.run.described + done.run.repeated == 60 - bad
    assert lines["same bytes 1.png"]["description"] == lines["same bytes 2.png"]["description"]


def test_the_bytes_do_not_depend_on_batch_size(opt: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "pictures", 24)
    uses = Uses(("", "a photo of"), {"colour": "What colour is it?"})
    for batch in (1, 7, 64):
        run(opt, tmp_path / f"{batch}.jsonl", folder, manner=Manner(workers=0, batch=batch), uses=uses)
    one, seven, all_of_them = ((tmp_path / f"{batch}.jsonl").read_bytes() for batch in (1, 7, 64))
    assert one == seven == all_of_them


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_shuffled_and_cut_off_five_times_the_lines_are_the_same(opt: Path, tmp_path: Path, batch: int) -> None:
    names = sorted(folder_of(tmp_path / "pictures", 20).glob("*.png"))
    run(opt, tmp_path / "whole.jsonl", *names)
    chance, out = random.Random(batch), tmp_path / "out.jsonl"
    for _ in range(5):
        chance.shuffle(names)
        run(opt, out, *names, manner=Manner(workers=0, batch=batch))
        content = out.read_bytes()
        out.write_bytes(content[: chance.randrange(len(content))])  # what a kill leaves: lines, and a piece of one
    run(opt, out, *names, manner=Manner(workers=0, batch=batch))
    assert sorted(out.read_bytes().splitlines()) == sorted((tmp_path / "whole.jsonl").read_bytes().splitlines())


class Stopped(Exception):
    """What a test stops a run with."""


def test_a_run_that_is_stopped_goes_on_byte_for_byte(opt: Path, tmp_path: Path) -> None:
    folder, out = folder_of(tmp_path / "pictures", 20), tmp_path / "out.jsonl"
    (folder / "0004.png").write_bytes(b"bad")
    run(opt, tmp_path / "whole.jsonl", folder)

    def stop(event: Event) -> None:
        if isinstance(event, Advanced):
            raise Stopped

    with pytest.raises(Stopped):
        run(opt, out, folder, report=stop)
    assert 0 < len(read(out)) < 20
    done = run(opt, out, folder)
    assert (done.run.skipped, done.failed, done.run.failed) == (7, 1, 0)
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_lines_of_another_model_or_prompt_are_not_gone_on_with(opt: Path, t5: Path, tmp_path: Path) -> None:
    folder, out = folder_of(tmp_path / "pictures", 3), tmp_path / "out.jsonl"
    run(opt, out, folder)
    with pytest.raises(InputError, match='made with model "opt", now it is "t5"'):
        run(t5, out, folder)
    with pytest.raises(InputError, match="were made with prompts"):
        run(opt, out, folder, uses=Uses(("a photo of",)))
    assert run(t5, out, folder, manner=Manner(workers=0, restart=True)).run.described == 3


def test_a_file_that_holds_something_else_is_left_alone(opt: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.jsonl").write_text("dear diary\n")
    with pytest.raises(InputError, match=r"notes\.jsonl:1: no description"):
        run(opt, tmp_path / "notes.jsonl", folder_of(tmp_path / "pictures", 1))
    assert (tmp_path / "notes.jsonl").read_text() == "dear diary\n"


def test_two_runs_do_not_write_one_file(opt: Path, tmp_path: Path) -> None:
    from osform.caption.output import Descriptions

    with Descriptions(tmp_path / "out.jsonl"), pytest.raises(InputError, match="another run is writing it"):
        run(opt, tmp_path / "out.jsonl", folder_of(tmp_path / "pictures", 1))


@pytest.mark.parametrize("manner", [Manner(workers=0, retry=True), Manner(workers=0, restart=True)])
def test_a_run_that_is_begun_anew_takes_no_lines_from_another_that_is_writing_them(
    opt: Path, tmp_path: Path, manner: Manner
) -> None:
    from osform.caption.output import Descriptions

    folder, out = folder_of(tmp_path / "pictures", 1), tmp_path / "out.jsonl"
    with Descriptions(out) as other:
        other.write({"image": "a.png", "error": "no such file"})
        with pytest.raises(InputError, match="another run is writing it"):
            run(opt, out, folder, manner=manner)
        other.write({"image": "b.png", "sha256": "0", "prompt": "", "description": "a boat"})
    assert [line["image"] for line in read(out)] == ["a.png", "b.png"]


def test_a_file_without_its_errors_is_as_locked_as_it_was(tmp_path: Path) -> None:
    from osform.caption.output import Descriptions

    with Descriptions(tmp_path / "out.jsonl") as lines:
        lines.write({"image": "a.png", "error": "no such file"})
        lines.write({"image": "b.png", "sha256": "0", "prompt": "", "description": "a boat"})
        assert (lines.forget_errors(), lines.lines, lines.failed, lines.has("a.png", "")) == (1, 1, 0, False)
        with pytest.raises(InputError, match="another run is writing it"):
            Descriptions(tmp_path / "out.jsonl")
        lines.write({"image": "a.png", "sha256": "1", "prompt": "", "description": "a cat"})
        assert lines.earlier("1", "") == read(tmp_path / "out.jsonl")[1]


def test_a_full_disk_is_a_sentence_and_costs_no_line(tmp_path: Path) -> None:
    from osform.caption.output import Descriptions

    line = {"image": "a.png", "error": "no such file"}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Descriptions(tmp_path / "out.jsonl") as lines:
        lines.write(line)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60, before[1]))  # a file may be no longer, as on a disk without room
        try:
            with pytest.raises(InputError, match=r"out\.jsonl: can't be written: File too large"):
                lines.write(line | {"image": "b.png"})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with Descriptions(tmp_path / "out.jsonl") as lines:
        lines.write(line | {"image": "b.png"})
    assert [each["image"] for each in read(tmp_path / "out.jsonl")] == ["a.png", "b.png"]


def test_a_pipe_is_no_file_that_a_run_could_go_on_with() -> None:
    from osform.caption.output import Descriptions

    reading, writing = os.pipe()
    with pytest.raises(InputError, match="can't be written: Illegal seek"):
        Descriptions(Path(f"/proc/self/fd/{writing}"))
    os.close(reading)
    os.close(writing)


def test_pictures_of_a_file_that_holds_something_else_are_not_tried_again(opt: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.jsonl").write_text("dear diary\n")
    with pytest.raises(InputError, match=r"notes\.jsonl:1: no description"):
        run(opt, tmp_path / "notes.jsonl", folder_of(tmp_path / "pictures", 1), manner=Manner(workers=0, retry=True))
    assert (tmp_path / "notes.jsonl").read_text() == "dear diary\n"


def test_pictures_that_failed_are_tried_again_when_asked(opt: Path, tmp_path: Path) -> None:
    folder, out = folder_of(tmp_path / "pictures", 3), tmp_path / "out.jsonl"
    (folder / "0001.png").write_bytes(b"bad")
    assert run(opt, out, folder).failed == 1
    picture(1).save(folder / "0001.png")
    assert run(opt, out, folder).run.skipped == 3
    done = run(opt, out, folder, manner=Manner(workers=0, retry=True))
    assert (done.run.described, done.failed) == (1, 0)


def test_the_same_bytes_are_described_once(opt: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "pictures", 3)
    for number in range(9):
        shutil.copy(folder / "0001.png", folder / f"copy {number}.png")
    done = run(opt, tmp_path / "out.jsonl", folder)
    assert (done.run.described, done.run.repeated) == (3, 9)
    assert len({line["description"] for line in read(tmp_path / "out.jsonl") if "0001" in line["image"]
                or "copy" in line["image"]}) == 1  # fmt: skip


def test_answers_are_fields_of_the_line(opt: Path, tmp_path: Path) -> None:
    uses = Uses(questions={"brand": "Which brand is it?", "colour": "What colour is it?"})
    run(opt, tmp_path / "out.jsonl", folder_of(tmp_path / "pictures", 2), uses=uses)
    for line in read(tmp_path / "out.jsonl"):
        assert {"description", "brand", "colour"} <= line.keys()


def test_a_conversation_is_one_line_with_all_its_turns(opt: Path, tmp_path: Path) -> None:
    uses = Uses(chat=(Turn("What is it?"), Turn("Where is it?")))
    run(opt, tmp_path / "out.jsonl", folder_of(tmp_path / "pictures", 2), uses=uses)
    for line in read(tmp_path / "out.jsonl"):
        assert line["prompt"] == "Where is it?"
        assert line["description"] == line["chat"][1]["answer"]


def test_the_manifest_says_with_what_and_how_fast(opt: Path, tmp_path: Path) -> None:
    done = run(opt, tmp_path / "out.jsonl", folder_of(tmp_path / "pictures", 5))
    written = json.loads(done.manifest.read_text())
    assert (written["made_with"]["model"], written["made_with"]["precision"]) == ("opt", "fp32")
    assert written["made_with"]["prompts"] == [""]
    figures = written["runs"][0]
    assert figures["pictures_per_second"] > 0
    assert {"reading", "computing", "writing"} <= figures.keys()


@pytest.mark.soak  # processes that load torch
def test_two_replicas_write_what_one_writes(opt: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "pictures", 12)
    run(opt, tmp_path / "one.jsonl", folder)
    model = Model(str(opt), device="cpu,cpu", max_new_tokens=6)
    describe(Inputs((str(folder),)), tmp_path / "two.jsonl", model, manner=Manner(workers=0, batch=3))
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


@pytest.mark.soak  # processes that load torch
def test_a_replica_that_is_killed_ends_the_run_with_the_device_named(opt: Path) -> None:
    with Replicas([Loading(opt, max_new_tokens=6)] * 2, Uses(("",)), 2) as replicas:
        for process in multiprocessing.active_children():
            process.kill()
        with pytest.raises(CaptionError, match="the process of the model on cpu ended before it answered"):
            replicas.submit(numpy.zeros((1, 3, 32, 32), numpy.uint8), [None]).result()


def names(*given: Path | str, **how: Any) -> list[tuple[str, str]]:
    found = pictures(Inputs(tuple(map(str, given)), **how))
    return [(Path(each.name).name, each.url or each.path or each.reason) for each in found]


@pytest.mark.soak  # processes that load torch
def test_what_a_replica_can_not_describe_is_told_in_its_own_words(opt: Path) -> None:
    uses = Uses(chat=(Turn("What is it?", "an <image>"), Turn("Where is it?")))
    with Replicas([Loading(opt), Loading(opt)], uses, 4) as replicas:
        future = replicas.submit(numpy.zeros((1, 3, 32, 32), dtype=numpy.uint8), [None])
        with pytest.raises(CaptionError, match="image tokens, expected"):
            future.result(timeout=60)


def test_a_list_names_addresses_and_paths_beside_it(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\ufeff# pictures\nhttp://a.example/1.jpg?x=1\n\nsub/2.png\n")
    found = names(tmp_path / "list.txt", params={"w": "200"})
    assert found == [("1.jpg?x=1", "http://a.example/1.jpg?x=1&w=200"), ("2.png", str(tmp_path / "sub/2.png"))]


@pytest.mark.parametrize("name", ["photos.tsv", "photos.tsv000"])
def test_a_table_of_unsplash_is_read_by_its_picture_column(tmp_path: Path, name: str) -> None:
    rows = ["photo_id\tphoto_url\tphoto_image_url", "a\thttp://page\thttp://i.example/a.jpg", "b\thttp://page\t"]
    (tmp_path / name).write_text("\n".join(rows) + "\n")
    assert names(tmp_path / name) == [
        ("a.jpg", "http://i.example/a.jpg"),
        (f"{name}:3", "nothing in the column 'photo_image_url', expected an address or a path"),
    ]


def test_a_parquet_table_is_read_by_the_column_that_is_named(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"id": [1, 2], "where": ["a.png", "b.png"]}), tmp_path / "t.parquet")
    assert names(tmp_path / "t.parquet", column="where")[0] == ("a.png", str(tmp_path / "a.png"))
    with pytest.raises(InputError, match="which column has the pictures"):
        names(tmp_path / "t.parquet")


def test_a_shard_is_described_as_its_folder_is(opt: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "pictures", 5)
    with tarfile.open(tmp_path / "shard.tar", "w") as shard:
        for path in sorted(folder.iterdir()):
            shard.add(path, path.name)
            (tmp_path / "a.json").write_text("{}")
            shard.add(tmp_path / "a.json", path.with_suffix(".json").name)
    run(opt, tmp_path / "one.jsonl", folder)
    run(opt, tmp_path / "two.jsonl", tmp_path / "shard.tar")
    one, two = (read(tmp_path / f"{name}.jsonl") for name in ("one", "two"))
    assert two[0]["image"] == f"{tmp_path}/shard.tar/0000.png"
    assert [line["description"] for line in one] == [line["description"] for line in two]


def test_a_pattern_stands_for_files_and_nothing_is_an_error(tmp_path: Path) -> None:
    folder_of(tmp_path / "pictures", 12)
    assert [name for name, _ in names(tmp_path / "pictures" / "000*.png")] == [f"000{n}.png" for n in range(10)]
    with pytest.raises(InputError, match="there is no such file"):
        names(tmp_path / "nothing*.png")


def test_a_name_that_is_no_text_is_written_with_escapes(opt: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    picture(1).save(folder / "a.png")
    (folder / "a.png").rename(folder / b"\xff\xfe.png".decode("utf-8", "surrogateescape"))
    run(opt, tmp_path / "out.jsonl", folder)
    assert read(tmp_path / "out.jsonl")[0]["image"].endswith("\\xff\\xfe.png")


def test_names_in_lists_and_shards_that_are_no_text_are_written_with_escapes(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"caf\xe9.png\nhttp://a.example/1.png?q=\xe9\n")
    with tarfile.open(tmp_path / "s.tar", "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as shard:
        shard.addfile(tarfile.TarInfo("café.png"))
    inputs = Inputs((str(tmp_path / "list.txt"), str(tmp_path / "s.tar")), params={"w": "200"})
    first, second, third = pictures(inputs)
    assert [Path(each.name).name for each in (first, second, third)] == [
        r"caf\xe9.png",
        r"1.png?q=\xe9",
        r"caf\xe9.png",
    ]
    assert Path(first.path).name.encode("utf-8", "surrogateescape") == b"caf\xe9.png"  # the file's own, to be read


def test_a_row_with_half_a_character_is_recorded(tmp_path: Path) -> None:
    rows = [{"image": "\ud800.png"}, {"image": "a.png", "ask": "\ud800"}, {"image": "b.png", "by": "\ud800"}]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = list(pictures(Inputs((str(tmp_path / "t.jsonl"),), prompt_column="ask")))
    assert [(each.name[-1], "half of a surrogate pair" in each.reason) for each in found] == [
        ("1", True), ("2", True), ("3", True)
    ]  # fmt: skip


def over_the_web(opt: Path, tmp_path: Path, count: int) -> Counter[Fate]:
    """Half of the pictures and then all of them, at most eight connections; what the server did."""
    with serving(fates(count)) as site:
        web, inputs = Web(8, networks=("127.0.0.0/8",)), Inputs((str(site.list_in(tmp_path, count)),))
        run(opt, tmp_path / "out.jsonl", inputs=replace(inputs, limit=count // 2), web=web)
        done = run(opt, tmp_path / "out.jsonl", inputs=inputs, web=web)
        lines = read(tmp_path / "out.jsonl")
        assert [line["image"] for line in lines] == [site.address(number) for number in range(count)]
        assert [number for number, line in enumerate(lines) if "error" in line] == bad(site.fates)
        assert "10.255.255.1 is the private address" in lines[21]["error"]
        assert (done.run.pictures, done.run.skipped, done.failed) == (count, count // 2, len(bad(site.fates)))
        assert done.run.described + done.run.failed == count - count // 2
        assert site.most <= 8
        assert all(site.asked[number] == 1 for number in range(count) if number not in site.fates)
        return Counter(site.fates.values())


def test_pictures_of_a_web_server_are_counted_exactly(opt: Path, tmp_path: Path) -> None:
    over_the_web(opt, tmp_path, 60)


@pytest.mark.soak
def test_a_thousand_pictures_of_a_web_server_are_counted_exactly(opt: Path, tmp_path: Path) -> None:
    said = over_the_web(opt, tmp_path, 1000)
    assert said == {"missing": 30, "slow": 20, "cut": 10, "moved": 20, "loop": 1, "private": 1}


def test_without_leave_pictures_of_this_machine_are_recorded_as_refused(opt: Path, tmp_path: Path) -> None:
    with serving({}) as site:
        done = run(opt, tmp_path / "out.jsonl", site.address(1))
    assert done.failed == 1
    assert "private address 127.0.0.1" in read(tmp_path / "out.jsonl")[0]["error"]


def test_the_batch_of_a_large_model_is_smaller() -> None:
    small, large = (
        {"num_query_tokens": 32, "vision_config": {"image_size": 224, "patch_size": 14, "hidden_size": width,
         "num_attention_heads": 16}, "text_config": {"hidden_size": width, "num_hidden_layers": 32,
         "vocab_size": 50304}}
        for width in (64, 2560)
    )  # fmt: skip
    loading = Loading(Path(), precision="bf16")
    assert bytes_a_picture(small, loading) < bytes_a_picture(large, loading) < 200_000_000


def test_copies_on_one_device_share_its_memory(opt: Path) -> None:
    assert batch_for(opt, Loading(opt), copies=1_000_000) == 1
    assert batch_for(opt, Loading(opt)) > 1
