"""Exact answers to properties of a network on a domain, with their proofs."""

from polyrank.room import public

__all__, __getattr__, __dir__ = public(
    __name__,
    {
        "alethe": ["export_alethe"],
        "counterexample": ["Counterexample"],
        "gradients": ["Lipschitz", "Monotone", "lipschitz", "monotone"],
        "maximum": ["Greatest", "greatest"],
        "pair": ["Equivalence", "greatest_difference", "same_function"],
        "properties": ["argmax_constant", "output_bounds"],
        "question": ["Progress"],
        "verify": ["Verification", "VerificationInterrupted"],
    },
)
