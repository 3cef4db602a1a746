"""The LP oracle: verdicts with certificates, in floats with proven bounds and in rationals."""

from polyrank.room import public

__all__, __getattr__, __dir__ = public(
    __name__,
    {
        "certificates": [
            "Infeasible",
            "Minimum",
            "Unbounded",
            "Violation",
            "verify_infeasible",
            "verify_minimum",
        ],
        "exact": ["minimise", "strictly_inside"],
        "farkas": ["verify_farkas"],
    },
)
