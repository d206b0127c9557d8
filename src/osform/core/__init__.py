"""The values that osform thinks in: references, resources, differences, plans, requests, events.

Nothing in here does I/O, knows a kind of resource, or reads the clock.
"""
