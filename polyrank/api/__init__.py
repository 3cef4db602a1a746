"""What a program or a notebook works with: a run and its regions as objects."""

from polyrank.room import public

__all__, __getattr__, __dir__ = public(
    __name__,
    {
        "graph": ["Graph"],
        "images": ["Images"],
        "region": ["Facet", "Region", "Selection"],
        "run": ["Run", "enumerate_regions", "open_run", "resume_run"],
        "questions": ["at", "homology", "minrank", "slice"],
        "samples": ["sample"],
    },
)
