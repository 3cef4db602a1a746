"""Theorems about how many regions there can be, and how many there are on average."""
