"""The region graph: facets, adjacency, linear regions, low-rank components."""

from polyrank.room import public

__all__, __getattr__, __dir__ = public(
    __name__,
    {
        "geometry": ["Ball", "RegionGeometry", "Regions"],
        "low_rank": ["LowRankComponent", "LowRankPart", "low_rank_part"],
        "nearest": ["NearestPoint", "nearest_low_rank"],
        "region_graph": ["Closure", "RegionGraph"],
        "store": ["export_graph", "load_graph", "save_graph", "to_networkx"],
    },
)
