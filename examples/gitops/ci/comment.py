#!/usr/bin/env python3
"""The plan as one comment of a pull or merge request, brought up to date instead of repeated; and back out of it.

    comment.py put   writes plan.md, and where there is room plan.json, into the comment
    comment.py get   writes the reviewed plan.json of the request that a commit was merged by

Runs in GitHub Actions and GitLab CI with what they set; needs Python's standard library alone. GITHUB_TOKEN needs
pull-requests: write. In GitLab, OSFORM_TOKEN is a project access token with the scope api.

The plan in the comment is as trustworthy as those who can edit comments of the project's own bot. It only chooses which
plan may be applied: what that plan does is read from the merged files and from the cluster, and must have its checksum.
"""

from __future__ import annotations

import base64
import json
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
import zlib
from pathlib import Path

MOST = {"github": 65_536, "gitlab": 1_000_000}  # characters of a comment
PLAN = re.compile(r"<!-- osform-plan ([A-Za-z0-9+/=]+) -->")


class Forge:
    """What both platforms have in common: JSON over HTTP with a token."""

    def __init__(self, api: str, headers: dict[str, str]) -> None:
        self.api, self.headers = api, headers

    def send(self, method: str, path: str, body: object = None) -> object:
        data = None if body is None else json.dumps(body).encode()
        headers = {**self.headers, "content-type": "application/json", "user-agent": "osform"}
        request = urllib.request.Request(self.api + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            sys.exit(f"{method} {path}: HTTP {error.code} {error.read(300).decode(errors='replace')}")

    def all(self, path: str) -> list[dict[str, object]]:
        """Every page of a list."""
        found: list[dict[str, object]] = []
        joint = "&" if "?" in path else "?"
        for page in range(1, 100):
            some = self.send("GET", f"{path}{joint}per_page=100&page={page}")
            assert isinstance(some, list)
            found += some
            if len(some) < 100:
                break
        return found


class GitHub(Forge):
    """A pull request's comments."""

    name = "github"

    def __init__(self, environ: dict[str, str]) -> None:
        api = environ.get("GITHUB_API_URL", "https://api.github.com")
        headers = {"authorization": f"Bearer {environ['GITHUB_TOKEN']}", "accept": "application/vnd.github+json"}
        super().__init__(f"{api}/repos/{environ['GITHUB_REPOSITORY']}", headers)
        self.environ = environ
        self.job = f"{environ.get('GITHUB_SERVER_URL', '')}/{environ['GITHUB_REPOSITORY']}/actions/runs/"
        self.job += environ.get("GITHUB_RUN_ID", "")

    def request(self) -> str:
        """The pull request that this job is for."""
        return self.environ["PULL_REQUEST"]

    def merged(self) -> str:
        """The pull request by which the present commit came; empty where there is none."""
        found = self.all(f"/commits/{self.environ['GITHUB_SHA']}/pulls")
        return next((str(each["number"]) for each in found if each.get("merged_at")), "")

    def comments(self, request: str) -> list[tuple[str, str]]:
        """Id and text of the bot's own comments."""
        found = self.all(f"/issues/{request}/comments")
        return [(str(each["id"]), str(each["body"])) for each in found if _bot(each.get("user"))]

    def put(self, request: str, comment: str, text: str) -> None:
        """Write a comment anew, or in place of one."""
        if comment:
            self.send("PATCH", f"/issues/comments/{comment}", {"body": text})
        else:
            self.send("POST", f"/issues/{request}/comments", {"body": text})


def _bot(user: object) -> bool:
    return isinstance(user, dict) and user.get("login") == "github-actions[bot]"


class GitLab(Forge):
    """A merge request's notes."""

    name = "gitlab"

    def __init__(self, environ: dict[str, str]) -> None:
        super().__init__(environ["CI_API_V4_URL"], {"private-token": environ["OSFORM_TOKEN"]})
        self.project = f"/projects/{environ['CI_PROJECT_ID']}"
        self.environ, self.job = environ, environ.get("CI_JOB_URL", "")

    def request(self) -> str:
        return self.environ["CI_MERGE_REQUEST_IID"]

    def merged(self) -> str:
        found = self.all(f"{self.project}/repository/commits/{self.environ['CI_COMMIT_SHA']}/merge_requests")
        return next((str(each["iid"]) for each in found if each.get("state") == "merged"), "")

    def comments(self, request: str) -> list[tuple[str, str]]:
        me = self.send("GET", "/user")
        assert isinstance(me, dict)
        found = self.all(f"{self.project}/merge_requests/{request}/notes")
        mine = [each for each in found if isinstance(each["author"], dict) and each["author"].get("id") == me["id"]]
        return [(str(each["id"]), str(each["body"])) for each in mine]

    def put(self, request: str, comment: str, text: str) -> None:
        path = f"{self.project}/merge_requests/{request}/notes"
        if comment:
            self.send("PUT", f"{path}/{comment}", {"body": text})
        else:
            self.send("POST", path, {"body": text})


def text_of(markdown: str, plan: bytes, marker: str, job: str, most: int) -> str:
    """The comment: marker, plan, a link to the rest, and the plan for the apply where there is room for it."""
    link = f"\n\n[The whole plan]({job}), as a page, is among what this job kept.\n" if job else "\n"
    text = f"{marker}\n{markdown.rstrip()}{link}"
    carried = f"<!-- osform-plan {base64.b64encode(zlib.compress(plan, 9)).decode()} -->\n"
    checksum = json.loads(plan)["checksum"]
    if len(text) + len(carried) <= most:
        return text + carried
    short = f"<!-- osform-checksum {checksum} -->\n"
    room = most - len(short) - len(marker) - len(link) - 100
    if len(text) + len(short) > most:
        markdown = f"{markdown[:room]}\n\nThe rest is left out for want of room."
    return f"{marker}\n{markdown.rstrip()}{link}{short}"


def put(forge: GitHub | GitLab, marker: str) -> None:
    markdown, plan = Path("plan.md").read_text(encoding="utf-8"), Path("plan.json").read_bytes()
    text = text_of(markdown, plan, marker, forge.job, MOST[forge.name])
    request = forge.request()
    there = next((each for each, body in forge.comments(request) if body.startswith(marker)), "")
    forge.put(request, there, text)
    print(f"the comment of request {request} is {'brought up to date' if there else 'there'}")


def get(forge: GitHub | GitLab, marker: str) -> None:
    request = forge.merged()
    body = next((body for _, body in forge.comments(request) if body.startswith(marker)), "") if request else ""
    if found := PLAN.search(body):
        Path("plan.json").write_bytes(zlib.decompress(base64.b64decode(found[1])))
        print(f"plan.json is what was reviewed in request {request}")
    else:
        print(f"no reviewed plan in request {request or '(none)'}", file=sys.stderr)


def main(words: list[str], environ: dict[str, str]) -> None:
    forge = GitHub(environ) if "GITHUB_ACTIONS" in environ else GitLab(environ)
    marker = (
        f"<!-- osform plan of {environ.get('OSFORM_ENV') or 'default'} in {environ.get('OSFORM_PROVISION') or '.'} -->"
    )
    if words == ["put"]:
        put(forge, marker)
    elif words == ["get"]:
        get(forge, marker)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:], dict(os.environ))
