"""What all tests have in common."""

from hypothesis import settings

# No deadline for one example: the machine may be busy with clusters, and a law is no faster for it.
settings.register_profile("osform", deadline=None, max_examples=60)
settings.load_profile("osform")
