"""The tracks by name."""

from __future__ import annotations

from bench.tracks import ingest, large, models, plan, startup
from bench.tracks.base import Track

TRACKS: dict[str, Track] = {
    "start-up": startup,
    "plan": plan,
    "large-plan": large,
    "ingest": ingest,
    "models": models,
}
"""In the order in which they run: models last, since it leaves torch in this process."""
