"""The proof of a run and its checker, which shares no search, linear program or solver with it."""
