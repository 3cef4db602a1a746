"""One question put to many networks: proved answers beside sampled ones."""

from polyrank.room import public

__all__, __getattr__, __dir__ = public(
    __name__,
    {
        "ensemble": ["Ensemble", "EnsembleInterrupted"],
        "measures": ["Measure"],
    },
)
