"""What pages say, asked without a socket."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from osform.ui.values import Asked
from tests.ui.conftest import Serve, png
from tests.ui.opensearch import EVIL, OpenSearch


def ask(app: object, path: str) -> tuple[int, str, dict[str, str]]:
    """Ask for a page: its status, its text, its headers."""
    from osform.ui import App

    assert isinstance(app, App)
    parts = urlsplit(path)
    query = {name: tuple(values) for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    reply = app.answer(Asked("GET", parts.path, query))
    body = reply.body.read_bytes() if isinstance(reply.body, Path) else reply.body
    return reply.status, body.decode("utf-8", "replace"), dict(reply.headers)


def test_each_mode_has_a_column_with_scores_timings_and_pictures(serve: Serve) -> None:
    status, page, _ = ask(serve().app, "/?q=cat")
    assert status == 200
    for mode in ("lexical", "semantic", "hybrid"):
        assert f'id="{mode}"' in page
    assert page.count("7 ms</b> on the server") == 3
    assert 'src="/picture/0/2019/boat.png"' in page
    assert "1.0000" in page


def test_a_document_says_its_place_in_the_other_modes(serve: Serve) -> None:
    _, page, _ = ask(serve().app, "/?q=cat")
    lexical = page.partition('id="lexical"')[2].partition("</li>")[0]
    assert "semantic 3" in lexical
    assert "hybrid 1" in lexical


def test_what_documents_say_is_text(serve: Serve) -> None:
    _, page, _ = ask(serve().app, "/?q=cat&in=pics&f=place%3D%3Cb%3E")
    assert EVIL not in page
    assert "&lt;script&gt;" in page
    assert "evil&#34;&gt;&lt;b&gt;" in page
    assert "place=<b>" not in page


def test_the_request_is_shown_as_it_was_sent(serve: Serve) -> None:
    served = serve()
    _, page, _ = ask(served.app, "/?q=it's+%26+%3Cb%3E")
    shown = page.partition('id="body-lexical"')[2].partition(">")[2].partition("</pre>")[0]
    for escape, letter in (("&#34;", '"'), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        shown = shown.replace(escape, letter)
    assert json.loads(shown) in served.opensearch.searches


def test_filters_reach_every_mode(serve: Serve) -> None:
    served = serve()
    _, page, _ = ask(served.app, "/?q=cat&f=place%3Dhome")
    assert len(served.opensearch.searches) == 3
    assert all("{'term': {'place': 'home'}}" in str(each) for each in served.opensearch.searches)
    assert "a red boat" not in page


def test_a_filter_that_is_added_becomes_part_of_the_address(serve: Serve) -> None:
    status, _, headers = ask(serve().app, "/?in=pics&q=cat&size=10&ff=place&fs=%3D&fv=home")
    assert (status, headers["Location"]) == (303, "/?in=pics&q=cat&f=place%3Dhome")


def test_a_wrong_filter_is_a_sentence_with_the_nearest_field(serve: Serve) -> None:
    status, page, _ = ask(serve().app, "/?q=cat&f=plase%3Dhome")
    assert status == 400
    assert "did you mean place?" in page


def test_an_index_without_vectors_is_searched_by_words_and_says_so(serve: Serve) -> None:
    status, page, _ = ask(serve(OpenSearch(vectors=False)).app, "/?q=cat")
    assert status == 200
    assert "pics has no vector field: it is searched by its words alone" in page
    assert 'id="lexical"' in page
    assert 'id="semantic"' not in page


def test_an_index_with_picture_vectors_has_a_column_more(serve: Serve) -> None:
    served = serve(OpenSearch(pictures=True))
    _, page, _ = ask(served.app, "/?q=cat")
    assert [f'id="{mode}"' in page for mode in ("lexical", "semantic", "hybrid", "picture")] == [True] * 4
    assert {"query_text": "cat", "model_id": "m2", "k": 100} in [
        each["query"].get("neural", {}).get("seen") for each in served.opensearch.searches
    ]


def test_a_picture_alone_asks_the_picture_column_alone(serve: Serve) -> None:
    app = serve(OpenSearch(pictures=True)).app
    _, page, _ = ask(app, f"/?picture={app.uploads.add(png(1, 2, 3))}")
    assert [f'id="{mode}"' in page for mode in ("lexical", "picture")] == [False, True]
    assert "nothing says which model made the picture vectors of pics" in page


def test_an_index_without_picture_vectors_says_so_of_a_picture(serve: Serve) -> None:
    app = serve().app
    status, page, _ = ask(app, f"/?picture={app.uploads.add(png(1, 2, 3))}")
    assert status == 200
    assert "pics has no picture vectors, so the picture finds nothing" in page


def test_a_model_that_is_away_takes_its_columns_and_no_others(serve: Serve) -> None:
    _, page, _ = ask(serve(OpenSearch(away="Model not ready yet. Please deploy the model first.")).app, "/?q=cat")
    assert page.count("osform apply deploys it") == 2
    assert "a cat on a sofa" in page


def test_a_cluster_that_is_gone_is_a_sentence_on_both_pages(serve: Serve) -> None:
    app = serve(url="http://127.0.0.1:9").app
    for path in ("/", "/?q=cat", "/stack"):
        status, page, _ = ask(app, path)
        assert status == 502
        assert "connection refused" in page
        assert "Traceback" not in page


def test_an_alias_that_is_not_there_is_a_sentence(serve: Serve) -> None:
    status, page, _ = ask(serve().app, "/?q=cat&in=nowhere")
    assert status == 502
    assert "there is no alias &#39;nowhere&#39;" in page


def test_the_state_without_a_stack_says_so_and_shows_the_nodes(serve: Serve) -> None:
    status, page, _ = ask(serve().app, "/stack")
    assert status == 200
    assert "there is no stack here" in page
    assert "data-1" in page


def test_mistakes_in_the_files_are_all_on_the_page(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "bad" / "index").mkdir(parents=True)
    (tmp_path / "bad" / "stack.yaml").write_text("name: BAD NAME\n")
    (tmp_path / "bad" / "index" / "a.yaml").write_text("settinks: {}\n")
    _, page, _ = ask(serve(provision=tmp_path / "bad").app, "/stack")
    assert "settinks" in page
    assert "stack.yaml" in page


def test_every_answer_says_what_it_may_load(serve: Serve) -> None:
    app = serve().app
    for path in ("/", "/stack", "/nowhere", "/picture/0/cat.png", f"/static/{app.pages.mark}/page.js"):
        _, _, headers = ask(app, path)
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "unsafe" not in headers["Content-Security-Policy"]


@pytest.mark.parametrize("name", ["../secret.png", "out.png", "page.svg", "2019", "%2e%2e/secret.png", "nowhere.png"])
def test_no_other_file_is_served(serve: Serve, name: str) -> None:
    assert ask(serve().app, f"/picture/0/{name}")[0] in (404, 415)


@pytest.mark.parametrize(
    "path", ["/nowhere", "/stack/x", "/static/0/page.js", "/static//etc/passwd", "/upload/0", "/picture", "/picture/"]
)
def test_other_addresses_lead_nowhere(serve: Serve, path: str) -> None:
    assert ask(serve().app, path)[0] == 404


def test_a_password_of_the_cluster_is_on_no_page(serve: Serve) -> None:
    first = serve()
    app = serve(url=first.proxy.url.replace("http://", "http://me:hunter2@")).app
    for path in ("/?q=cat", "/?q=cat&in=nowhere", "/stack", "/?q=cat&f=plase%3Dx"):
        assert "hunter2" not in ask(app, path)[1]
    gone = serve(url="http://me:hunter2@127.0.0.1:9").app
    assert all("hunter2" not in ask(gone, path)[1] for path in ("/", "/stack"))


def test_a_picture_that_was_dropped_is_kept_for_a_while(serve: Serve) -> None:
    app = serve().app
    names = [app.uploads.add(png(n, n, n)) for n in range(6)]
    assert [ask(app, f"/upload/{name}")[0] for name in names] == [404, 404, 200, 200, 200, 200]
