"""The search: cells of the domain layer by layer, every verdict certified."""

from polyrank.room import public

__all__, __getattr__, __dir__ = public(
    __name__,
    {
        "search": ["ENGINES"],
        "task": ["SearchProgress", "SearchResult", "SearchStopped"],
        "threads": ["available_threads"],
    },
)
