"""The search: cells of the domain layer by layer, every verdict certified."""
