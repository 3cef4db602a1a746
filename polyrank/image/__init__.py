"""The image of a manifold under the layers of a network: exact, with its overlaps."""
