"""Stands for GitHub, GitLab and Vault, as far as the scripts of examples/gitops ask of them."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from tests.serving import Quiet, listening


@dataclass
class Forge:
    """One request, number 7, that was merged; its comments by id. ``sent`` are the requests that changed something."""

    comments: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)

    def __enter__(self) -> Forge:
        forge = self

        class Handler(Quiet):
            def answer(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                body = json.loads(self.rfile.read(length)) if length else {}
                content = json.dumps(forge.answer(self.command, self.path.partition("?")[0], body)).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = answer

        self._until = ExitStack()
        self.url = self._until.enter_context(listening(Handler))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._until.close()

    def answer(self, method: str, path: str, body: Any) -> Any:
        if method != "GET":
            self.sent.append(f"{method} {path}")
        if re.search(r"/(issues|merge_requests)/7/(comments|notes)$", path):
            if method == "POST":
                return self.say(body["body"], "github-actions[bot]", 1)
            return list(self.comments.values())
        if found := re.search(r"/(?:comments|notes)/(\d+)$", path):
            self.comments[found[1]]["body"] = body["body"]
            return self.comments[found[1]]
        if path.endswith("/pulls"):
            return [{"number": 7, "merged_at": "2026-11-21T10:00:00Z"}]
        if path.endswith("/merge_requests"):
            return [{"iid": 7, "state": "merged"}]
        if path.endswith("/user"):
            return {"id": 1}
        if path == "/oidc":
            return {"value": "a-token"}
        if path == "/v1/auth/jwt/login":
            return {"auth": {"client_token": f"for {body['role']} by {body['jwt']}"}}
        return {"data": {"data": self.secrets}}

    def say(self, text: str, login: str, number: int) -> dict[str, Any]:
        """A comment of somebody."""
        id = str(len(self.comments) + 1)
        comment = {"id": int(id), "body": text, "user": {"login": login}, "author": {"id": number}}
        self.comments[id] = comment
        return comment
