"""The least and the greatest rank through a layer, proved without enumerating that layer's regions.

The room is callable: ``polyrank.minrank(network)`` is :func:`polyrank.api.questions.minrank`.
"""

from polyrank.room import call_by

call_by(__name__, "polyrank.api.questions", "minrank")
