"""The columnar table of regions, exact ranks, and the run directory on disk."""
