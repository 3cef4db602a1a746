"""Sampled manifolds, their subdivision by a network, chain complexes and exact homology."""
