"""The page of ``osform ui`` over a real OpenSearch and a real, small model, in a real browser."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from osform.cluster.client import Cluster
from tests import tiny
from tests.live.stacks import Project, lay_out
from tests.live.test_search import ROWS, model_of, undeploy
from tests.ui.browser import DROP, opened
from tests.ui.conftest import png
from tests.ui.opensearch import EVIL


@pytest.fixture(scope="module")
def stack(live_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A small stack, applied, with five rows in its index: one has a picture, one would be a script."""
    project = lay_out(tmp_path_factory.mktemp("stack"), live_url, tiny.build(tmp_path_factory.mktemp("tiny")))
    applied = project.apply()
    assert applied.status == 0, applied.err
    (project.root / "shots").mkdir()
    (project.root / "shots" / "cat.png").write_bytes(png(200, 120, 40))
    rows = [{**row, "image": f"{row['id']}.png"} for row in (*ROWS, {"id": "evil", "text": EVIL, "place": "attic"})]
    (project.root / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = project.run("ingest", "rows.jsonl", "--into", project.name, "--cluster", live_url)
    assert told.status == 0, told.err
    yield project
    assert project.take_away().status == 0


@pytest.fixture(scope="module")
def url(stack: Project) -> Iterator[str]:
    """The page, served by the command."""
    words = ("ui", "--port", "0", "--index", stack.name, "--pictures", "shots", "--cluster", stack.url)
    command, environ = stack.command(*words)
    with subprocess.Popen(command, cwd=stack.root, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def page(url: str) -> Iterator[Page]:
    """A window on the page."""
    with opened(url) as page:
        yield page


def test_a_text_is_found_in_every_mode_by_a_real_model(page: Page, url: str) -> None:
    page.fill("#q", "coffee bread")
    page.keyboard.press("Enter")
    for mode in ("lexical", "semantic", "hybrid"):
        expect(page.locator(f"#{mode} .hit").first).to_contain_text("coffee and bread")
    expect(page.locator("#semantic .hit")).to_have_count(5)
    expect(page.locator("summary img").first).to_have_js_property("naturalWidth", 64)


def test_a_filter_lets_through_what_the_cluster_says(page: Page, url: str) -> None:
    page.goto(f"{url}?q=coffee&f=place%3Dhome")
    expect(page.locator("#semantic .hit")).to_have_count(2)
    page.goto(f"{url}?q=coffee&f=place!%3Dhome&f=place!%3Dtown")
    expect(page.locator("#semantic .hit")).to_have_count(2)


def test_a_description_that_would_be_a_script_is_text(page: Page, url: str) -> None:
    page.goto(f"{url}?q=script&f=place%3Dattic")
    expect(page.locator("#lexical .text")).to_have_text(EVIL)
    page.locator("#lexical .hit summary").click()
    expect(page.locator("#lexical .hit[open] pre")).to_contain_text("onerror")
    assert page.title() == "script - osform"


def test_a_picture_is_dropped_where_the_index_has_no_vectors_of_pictures(page: Page, url: str) -> None:
    page.goto(url)
    page.evaluate(DROP, [base64.b64encode(png(9, 9, 9)).decode(), "body"])
    expect(page.locator("#asked img")).to_have_js_property("naturalWidth", 64)
    expect(page.locator(".note")).to_contain_text("has no picture vectors")


def test_the_request_that_is_shown_can_be_sent(page: Page, url: str, cluster: Cluster) -> None:
    page.goto(f"{url}?q=coffee")
    page.locator("#hybrid .request > summary").click()
    page.locator("#hybrid .request details summary").click()
    shown = page.locator("#curl-hybrid").inner_text()
    done = subprocess.run(["bash", "-c", shown], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["hits"]["hits"][0]["_id"] == "coffee"


def test_the_state_shows_what_is_served_and_what_drifted(
    page: Page, url: str, cluster: Cluster, stack: Project
) -> None:
    page.goto(f"{url}stack")
    expect(page.locator("#drift")).to_contain_text("the cluster is as it was left")
    expect(page.locator("#models")).to_contain_text("served by")
    expect(page.locator("#indices")).to_contain_text(f"index/{stack.name}")
    expect(page.locator("#nodes tbody tr")).to_have_count(2)
    undeploy(cluster, model_of(cluster, stack))
    page.reload()
    expect(page.locator("#drift summary")).to_contain_text("undeployed")
    page.goto(f"{url}?q=coffee")
    expect(page.locator("#semantic .problem")).to_contain_text("osform apply deploys it")
    expect(page.locator("#lexical .hit")).to_have_count(1)
