"""The proof of a run and its checker, which shares no search, linear program or solver with it."""

from polyrank.room import public

__all__, __getattr__, __dir__ = public(
    __name__,
    {
        "check": ["Report"],
        "format": ["NotDecidedError", "ProofRejectedError"],
        "function": ["FunctionReport", "check_function"],
        "image": ["ImageReport", "check_image"],
        "one_to_one": ["OneToOneReport", "check_one_to_one"],
        "separation": ["SeparationReport", "check_separation"],
        "verdict": ["VerdictReport", "check_verdict"],
    },
)
