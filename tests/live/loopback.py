"""A server on this machine for what runs elsewhere: embeddings in the way of OpenAI, and files to fetch."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType

from tests.serving import Quiet, listening


@dataclass
class Loopback:
    """Answers each text with a vector of four numbers, and serves ``files`` by their path.

    ``keys`` are the Authorization headers that came with the questions. With ``refuses``, a status, each question is
    refused with the words in which OpenAI does it: they repeat the key. Texts longer than ``longest`` are refused with
    HTTP 400, and all others of the same question with them.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    refuses: int = 0
    longest: int = 1_000

    def __enter__(self) -> Loopback:
        outer = self

        class Handler(Quiet):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.keys.append(self.headers.get("Authorization", ""))
                if outer.refuses:
                    words = f"Incorrect API key provided: {outer.keys[-1].removeprefix('Bearer ')}"
                    self.answer(json.dumps({"error": {"message": words}}).encode(), "application/json", outer.refuses)
                    return
                texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
                if max(map(len, texts)) > outer.longest:
                    self.answer(b'{"error": {"message": "maximum context length exceeded"}}', "application/json", 400)
                    return
                data = [{"index": n, "embedding": [0.5, 0.5, 0.5, 0.5]} for n in range(len(texts))]
                self.answer(json.dumps({"data": data}).encode(), "application/json")

            def do_GET(self) -> None:
                self.answer(outer.files.get(self.path, b""), "application/zip")

            def answer(self, content: bytes, kind: str, status: int = 200) -> None:
                self.send_response(status if content else 404)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self._until = ExitStack()
        self.url = self._until.enter_context(listening(Handler))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._until.close()
