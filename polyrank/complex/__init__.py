"""The polyhedral complex of a network on a domain of dimension 1 to 3: all cells and incidences."""

from polyrank.room import public

__all__, __getattr__, __dir__ = public(
    __name__,
    {
        "cell_complex": ["CellComplex"],
        "level_set": ["LevelSet", "decision_boundary", "level_homology"],
        "mesh": ["write_mesh"],
        "store": ["read_complex", "write_complex"],
        "volume": ["volumes"],
    },
)
