"""Exact homology of chain complexes: matchings, elimination, groups, pairs and their sequences."""
