"""A run under way: what comes of the pictures is written, a line each, and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from osform.caption.hands import Batch, Hands, key
from osform.caption.manifest import Run
from osform.caption.output import Descriptions
from osform.caption.prompts import Uses
from osform.caption.replicas import Answer
from osform.core.events import Advanced, Begun, Ended, Report, Warned
from osform.images.checkpoints import Checkpoint
from osform.images.pictures import Picture
from osform.images.reading import Ready

SHOWN_FAILURES = 5
_TASK = "describing pictures"


class Work:
    """A run under way."""

    def __init__(
        self,
        lines: Descriptions,
        uses: Uses,
        checkpoint: Checkpoint,
        hands: Hands,
        report: Report,
        clock: Callable[[], float],
        total: int | None,
        batch: int,
    ) -> None:
        self._lines, self._uses, self._checkpoint, self._hands = lines, uses, checkpoint, hands
        self._report, self._clock, self._total = report, clock, total
        self._begun = clock()
        self.run = Run(datetime.now(UTC).isoformat(timespec="seconds"), batch=batch)
        report(Begun(_TASK, total))

    def carry_out(self, wanted: Iterator[Picture]) -> None:
        """Describe the pictures."""
        for batch in self._hands.work(self._missing(wanted), self._known):
            self._write(batch)
        if self.run.failed > SHOWN_FAILURES:
            self._report(Warned(f"and {self.run.failed - SHOWN_FAILURES} more"))
        if self.run.empty:
            self._report(Warned(f"{self.run.empty} descriptions are empty: the model had nothing to say"))

    def close(self) -> None:
        """The last figures."""
        run = self.run
        run.seconds = self._clock() - self._begun
        run.starting, run.waiting = self._hands.starting, self._hands.waited
        run.pictures_per_second = (run.described + run.repeated) / run.seconds if run.seconds else 0.0
        for name in ("seconds", "starting", "reading", "waiting", "computing", "writing", "pictures_per_second"):
            setattr(run, name, round(getattr(run, name), 3))
        self._report(Ended(_TASK))

    def _missing(self, wanted: Iterator[Picture]) -> Iterator[Picture]:
        """The pictures that have not all of their lines yet."""
        for picture in wanted:
            self.run.pictures += 1
            if all(self._lines.has(picture.name, label) for label in self._uses.labels(picture.prompt)):
                self.run.skipped += 1
            else:
                yield picture

    def _known(self, ready: Ready) -> bool:
        labels = self._uses.labels(ready.picture.prompt)
        return all(self._lines.earlier(ready.decoded.sha256, label) is not None for label in labels)

    def _write(self, batch: Batch) -> None:
        answer = batch.answer
        if answer:
            self.run.computing += answer.seconds
            if answer.batch < self.run.batch:
                self._report(
                    Warned(f"the device's memory was too small: {answer.batch} pictures at a time from now on")
                )
                self.run.batch = answer.batch
        started = self._clock()
        for each in batch.ready:
            self.run.reading += each.decoded.seconds
            if each.decoded.reason:
                self._fail(each, each.decoded.reason)
            else:
                self._write_picture(each, batch.places.get(key(each)), answer)
        self._lines.sync()
        self.run.writing += self._clock() - started
        self.run.lines = self._lines.lines
        self._report(Advanced(_TASK, self.run.pictures, self._total))

    def _write_picture(self, each: Ready, place: int | None, answer: Answer | None) -> None:
        if answer is not None and place is not None and (reason := answer.described[place].reason):
            self._fail(each, reason, prompt=each.picture.prompt)
            return
        name, digest = each.picture.name, each.decoded.sha256
        fresh = True
        for number, label in enumerate(self._uses.labels(each.picture.prompt)):
            line = self._lines.earlier(digest, label)
            if line is not None:
                line, fresh = {**line, "image": name}, False
            else:
                assert answer is not None
                assert place is not None
                line = self._line(name, digest, label, number, place, answer)
            if not self._lines.has(name, label):
                self.run.empty += not line["description"]
                self._lines.write(line)
        self.run.described += fresh
        self.run.repeated += not fresh

    def _line(self, name: str, digest: str, label: str, number: int, place: int, answer: Answer) -> dict[str, Any]:
        described = answer.described[place]
        line: dict[str, Any] = {
            "image": name,
            "sha256": digest,
            "prompt": label,
            "description": described.texts[number],
            "model": self._checkpoint.name,
            "revision": self._checkpoint.revision,
            **described.fields,
        }
        if described.chat:
            line["chat"] = [{"question": turn.question, "answer": turn.answer} for turn in described.chat]
        return line

    def _fail(self, each: Ready, reason: str, prompt: str | None = None) -> None:
        """Record it: of the picture, or of the one ``prompt`` that is wrong, when the others of the picture go on."""
        name = each.picture.name
        if all(self._lines.has(name, label) for label in self._uses.labels(each.picture.prompt)):
            return
        self.run.failed += 1
        self._lines.write({"image": name, **({} if prompt is None else {"prompt": prompt}), "error": reason})
        if self.run.failed <= SHOWN_FAILURES:
            self._report(Warned(f"{name}: {reason}"))
