"""Pictures as files and bytes: where they come from, how they are fetched and decoded; and the folders of models.

What captions and picture search have in common. Nothing here knows a model from the inside, and nothing imports torch,
so that the processes that decode stay small.
"""
