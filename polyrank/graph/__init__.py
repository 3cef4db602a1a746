"""The region graph: facets, adjacency, linear regions, low-rank components."""
