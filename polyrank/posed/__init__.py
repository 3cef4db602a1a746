"""The posed problem: charts of domains, cube coordinates, exact maps on prefixes of signs."""

from polyrank.room import public

__all__, __getattr__, __dir__ = public(
    __name__,
    {
        "branch": ["Branch"],
        "problem": ["Problem"],
        "region": ["Region"],
        "ranks": ["ExactRanks"],
        "polytope": ["Generators", "generators", "volume"],
    },
)
