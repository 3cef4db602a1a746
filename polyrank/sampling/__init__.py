"""Sampling, checked: certified codewords of points, their exact ranks, and what sampling misses."""
