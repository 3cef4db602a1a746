"""Sampling, checked: certified codewords of points, their exact ranks, and what sampling misses."""

from polyrank.room import public

__all__, __getattr__, __dir__ = public(
    __name__,
    {
        "codewords": ["CertifiedCodewords", "CodewordFilter"],
        "crosscheck": ["Contradiction", "CrossCheck", "RunCheck"],
        "estimate": ["Estimate"],
        "points": ["normal_blocks", "points_file", "uniform_blocks"],
        "ranks": ["CodewordRanks", "RankTable"],
        "region_at": ["FacetAt", "LowerRank", "RegionAt"],
        "slices": ["AmbientRanks", "ambient_ranks", "slice_through"],
    },
)
