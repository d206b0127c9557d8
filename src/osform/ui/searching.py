"""The page of searches: the form, and the answers of every mode side by side."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from osform.cluster.client import Cluster, without_password
from osform.cluster.filtering import ORDERED, WHOLE
from osform.cluster.queries import Hit
from osform.cluster.targets import Target, describe, names
from osform.core.filters import SIGNS, Filter
from osform.core.request import Request
from osform.core.rows import value_at
from osform.errors import InputError, OsformError
from osform.flows.searching_pictures import Seer
from osform.flows.side_by_side import Column, Question, SideBySide, hits_elsewhere, side_by_side
from osform.ui.folders import Folders
from osform.ui.pages import Pages, problem_of
from osform.ui.values import Asked, Reply

if TYPE_CHECKING:
    from osform.ui.app import Settings

SIZES = (5, 10, 20, 50)
SHARES = (10, 25, 50, 75, 90)
MOST_TEXT = 2000
_SHOWN = 400  # characters of a document's text
_NUMBERS = re.compile(r"\[\n\s+(-?\d[^\[\]{}\"]*?)\n\s+\]")  # no string of JSON has a line break


@dataclass(frozen=True)
class Wish:
    """What the form says; ``share`` is that of the text beside a picture, in percent."""

    index: str
    text: str
    field: str
    size: int
    filters: tuple[str, ...]
    picture: str
    share: int

    @classmethod
    def of(cls, asked: Asked, index: str) -> Wish:
        """Read an address; ``index`` is meant where it names none. A filter that is being added is the last."""
        added = [
            f"{field}{sign}{value}"
            for field, sign, value in zip(*(asked.query.get(name, ()) for name in ("ff", "fs", "fv")), strict=False)
            if field.strip() and value.strip()
        ]
        filters = dict.fromkeys(each for each in (*asked.query.get("f", ()), *added) if each.strip())
        size, share = asked.one("size"), asked.one("share")
        return cls(
            asked.one("in") or index, asked.one("q")[:MOST_TEXT], asked.one("field"),
            int(size) if size in map(str, SIZES) else 10, tuple(filters), asked.one("picture"),
            int(share) if share in map(str, SHARES) else 50,
        )  # fmt: skip

    def address(self, **other: Any) -> str:
        """The address of this search, with something of it otherwise."""
        said: dict[str, Any] = {
            "in": self.index, "q": self.text, "field": self.field, "size": "" if self.size == 10 else self.size,
            "picture": self.picture, "share": "" if self.share == 50 else self.share, "f": self.filters,
        }  # fmt: skip
        said |= other
        pairs = [(name, value) for name, value in said.items() if value and name != "f"]
        return f"/?{urlencode([*pairs, *(('f', each) for each in said['f'])])}"


def page(
    asked: Asked, cluster: Cluster, settings: Settings, pages: Pages, kept: Callable[[str], bytes | None], seer: Seer
) -> Reply:
    """The page; what is wrong stands on it as a sentence, beside the form."""
    shown: dict[str, Any] = {"known": (), "fields": (), "vectors": (), "answer": None, "problem": None, "signs": SIGNS}
    wish, status = Wish.of(asked, settings.index or ""), 200
    if "fv" in asked.query:
        return Reply(303, headers={"Location": wish.address()})
    try:
        shown["known"] = known = names(cluster)
        wish = Wish.of(asked, settings.index or next(iter(known), ""))
        if not wish.index:
            raise InputError("there is no index to search on this cluster", hint="osform init, then osform apply")
        content = kept(wish.picture)
        if wish.text or content is not None:
            answer = _asked(cluster, wish, content, seer)
            target, shown["answer"] = answer.target, _view(answer, cluster, settings.folders)
        else:
            target = describe(cluster, wish.index)
        shown["fields"] = tuple(sorted(name for name, kind in target.types.items() if kind in WHOLE | ORDERED))
        shown["vectors"] = tuple(dict.fromkeys(each.vector for each in target.embeddings))
    except OsformError as error:
        shown["problem"], status = problem_of(error), 400 if isinstance(error, InputError) else 502
    chips = [(each, wish.address(f=[other for other in wish.filters if other != each])) for each in wish.filters]
    shown |= {"kept": kept(wish.picture) is not None, "without_picture": wish.address(picture="")}
    body = pages.render("search.html.j2", here="search", wish=wish, chips=chips, sizes=SIZES, shares=SHARES, **shown)
    return Reply(status, body)


def _asked(cluster: Cluster, wish: Wish, picture: bytes | None, seer: Seer) -> SideBySide:
    filters = tuple(Filter.parse(each) for each in wish.filters)
    question = Question(wish.text, picture, wish.share / 100, wish.field or None, wish.size, filters)
    return side_by_side(cluster, wish.index, question, seer)


def _view(answer: SideBySide, cluster: Cluster, folders: Folders) -> dict[str, Any]:
    places = hits_elsewhere(answer.columns)
    columns = [_column(column, answer.target, places, cluster, folders) for column in answer.columns]
    return {"columns": columns, "note": answer.note}


def _column(
    column: Column, target: Target, places: Mapping[str, Mapping[str, int]], cluster: Cluster, folders: Folders
) -> dict[str, Any]:
    hits = column.found.hits if column.found else ()
    top = max((hit.score for hit in hits), default=0.0)
    rows = []
    for number, hit in enumerate(hits, start=1):
        others = {mode: place for mode, place in places[hit.id].items() if mode != column.mode}
        rows.append({
            "place": number, "id": hit.id, "score": f"{hit.score:.4f}", "picture": folders.address(hit.source),
            "share": round(100 * hit.score / top) if top > 0 else 0, "text": text_of(hit, target), "others": others,
            "source": json.dumps(hit.source, indent=2, ensure_ascii=False),
        })  # fmt: skip
    return {
        "mode": column.mode, "detail": column.detail, "hits": rows,
        "took": column.found.took_ms if column.found else None,
        "ms": round(column.seconds * 1000), "problem": problem_of(column.error) if column.error else None,
        "request": request_text(column.request), "curl": curl(column.request, cluster.url),
    }  # fmt: skip


def text_of(hit: Hit, target: Target) -> str:
    """What a document says in short: the texts that are embedded, else its text fields."""
    fields = [one.text for one in target.embeddings] or list(target.text_fields)
    text = " | ".join(str(value) for field in dict.fromkeys(fields) if (value := value_at(hit.source, field)))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def request_text(request: Request | None) -> dict[str, str] | None:
    """A request as OpenSearch's documentation writes them: its first line, and its body."""
    if request is None:
        return None
    line = f"{request.method} {request.path}" + (f"?{urlencode(request.params)}" if request.params else "")
    body = json.dumps(request.body, indent=2, ensure_ascii=False)
    return {"line": line, "body": _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", body)}


def curl(request: Request | None, url: str) -> str:
    """The same for a shell; without a password, which is not for pages."""
    said = request_text(request)
    if request is None or said is None:
        return ""
    address = without_password(url).rstrip("/") + said["line"].partition(" ")[2]
    body = shlex.quote(json.dumps(request.body, ensure_ascii=False))
    return f"curl -s -X {request.method} {shlex.quote(address)} -H 'content-type: application/json' -d {body}"
