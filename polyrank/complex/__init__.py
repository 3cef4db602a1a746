"""The polyhedral complex of a network on a domain of dimension 1 to 3: all cells and incidences."""
