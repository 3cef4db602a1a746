"""The least and the greatest rank of the map through a layer, by proofs and witnesses.

The room is callable: ``polyrank.minrank(network)`` is :func:`polyrank.api.questions.minrank`.
"""

from polyrank.room import call_by, public

__all__, __getattr__, __dir__ = public(
    __name__,
    {
        "maximum": ["MaximumRankInterrupted", "maximum_rank"],
        "minimum": ["MinimumRankInterrupted", "minimum_rank"],
        "result": ["LowRegion", "MaximumRank", "MinimumRank"],
    },
)

call_by(__name__, "polyrank.api.questions", "minrank")
