"""Theorems about how many regions there can be, and how many there are on average."""

from polyrank.room import public

__all__, __getattr__, __dir__ = public(
    __name__,
    {
        "arrangement": ["central_regions", "regions"],
        "bounds": ["Bounds"],
        "symmetric": ["codeword_probability", "expected_by_rank", "expected_by_size"],
    },
)
