"""Exact homology of chain complexes: matchings, elimination, groups, pairs and their sequences."""

from polyrank.room import public

__all__, __getattr__, __dir__ = public(
    __name__,
    {
        "chain": [
            "ChainComplex",
            "closure",
            "components",
            "quotient",
            "simplicial_complex",
            "subcomplex",
        ],
        "exact_sequence": ["ExactSequence", "long_exact_sequence"],
        "groups": ["Homology", "homology"],
        "pair": ["CollapsedHomology", "collapse_in_turn", "collapsed_homology"],
    },
)
