"""Webhooks and commands: whoever wants to hear of what a watch does is told, and can't hold it up."""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests

from osform.core.watching import Teller

_MOST_WAITING = 200
_SECONDS = 10.0
_PAUSES = (1.0, 5.0, 0.0)  # seconds after each try


@contextmanager
def telling(tellers: tuple[Teller, ...], complain: Callable[[str], None]) -> Iterator[Callable[[str, str], None]]:
    """Yields what takes an event's name and its JSON; it is sent from a thread. What can't be sent is complained of."""
    waiting: queue.Queue[tuple[Teller, str] | None] = queue.Queue(_MOST_WAITING)

    ending = threading.Event()

    def take(what: str, line: str) -> None:
        for teller in tellers:
            if what in teller.on:
                try:
                    waiting.put_nowait((teller, line))
                except queue.Full:
                    complain(f"{_name(teller)}: {_MOST_WAITING} events wait already; this one is not told")

    def work() -> None:
        while (item := waiting.get()) is not None:
            teller, line = item
            for pause in _PAUSES:
                said = _tell(teller, line)
                if said is None:
                    break
                ending.wait(pause)
            else:
                complain(f"{_name(teller)}: {said}")

    thread = threading.Thread(target=work, name="osform-tell", daemon=True)
    thread.start()
    try:
        yield take
    finally:
        ending.set()
        try:
            waiting.put_nowait(None)
            thread.join(2 * _SECONDS)
        except queue.Full:
            pass


def _tell(teller: Teller, line: str) -> str | None:
    """What went wrong, or None."""
    try:
        if teller.webhook:
            headers = {"content-type": "application/json"}
            answer = requests.post(teller.webhook, data=line.encode(), headers=headers, timeout=_SECONDS)
            return None if answer.status_code < 400 else f"HTTP {answer.status_code}"
        done = subprocess.run(
            teller.command, input=line, text=True, timeout=_SECONDS, check=False, stdout=subprocess.DEVNULL
        )
    except (requests.RequestException, OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__  # its words would repeat the URL, whose path is often the secret
    return None if done.returncode == 0 else f"exit status {done.returncode}"


def _name(teller: Teller) -> str:
    return "the webhook" if teller.webhook else teller.command[0]
