"""The columnar table of regions, exact ranks, and the run directory on disk."""

from polyrank.room import public

__all__, __getattr__, __dir__ = public(
    __name__,
    {
        "count": ["RegionCount", "count_regions"],
        "enumerate": ["EnumerationInterrupted"],
        "foresight": ["Foresight", "estimate_run"],
        "layerwise": ["count_prefixes", "decompose"],
        "limits": ["LimitReached", "Limits"],
        "run": ["Run", "open_run"],
        "saving": ["save_run"],
    },
)
