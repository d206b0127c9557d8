"""The tracks by name."""

from __future__ import annotations

from bench.tracks import ingest, large, loads, models, plan, search, startup
from bench.tracks.base import Track

TRACKS: dict[str, Track] = {
    "start-up": startup,
    "plan": plan,
    "large-plan": large,
    "ingest": ingest,
    "loads": loads,
    "search": search,
    "models": models,
}
"""In the order in which they run: those that leave torch in this process last."""
