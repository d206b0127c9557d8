"""Webhooks and commands of a watch: told what they asked for, and never in the way."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from osform.cli.watch_telling import telling
from osform.core.watching import Teller
from tests.forges import Forge


def test_a_webhook_is_sent_the_events_that_it_asked_for() -> None:
    with Forge() as chat, telling((Teller(("applied",), webhook=f"{chat.url}/hook"),), print) as tell:
        tell("applied", json.dumps({"text": "applied"}))
        tell("refused", json.dumps({"text": "refused"}))
    assert chat.sent == ["POST /hook"]


def test_a_command_gets_the_event_on_its_standard_input(tmp_path: Path) -> None:
    command = (sys.executable, "-c", f"import sys; open({str(tmp_path / 'told')!r}, 'w').write(sys.stdin.read())")
    with telling((Teller(("failing",), command=command),), print) as tell:
        tell("failing", '{"event": "failing"}')
    assert (tmp_path / "told").read_text() == '{"event": "failing"}'


def test_what_can_not_be_told_is_complained_of_without_the_url() -> None:
    said: list[str] = []
    with telling((Teller(("failing",), webhook="http://127.0.0.1:1/s3cret"),), said.append) as tell:
        tell("failing", "{}")
    assert said == ["the webhook: ConnectionError"]
