"""What all tests have in common."""

import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

# No deadline for one example: the machine may be busy with clusters, and a law is no faster for it.
settings.register_profile("osform", deadline=None, max_examples=60)
settings.load_profile("osform")


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a run leaves for the next one is the tests' own, and not in the user's folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OSFORM_STATE", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def own_ends() -> Iterator[None]:
    """A command that a test runs in this process sets up how it is stopped: the next test is not stopped in its way.

    Else what is lost in a destructor would be printed from then on, and fail no test.
    """
    hook, handler = sys.unraisablehook, signal.getsignal(signal.SIGTERM)
    yield
    sys.unraisablehook = hook
    signal.signal(signal.SIGTERM, handler)
