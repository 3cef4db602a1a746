"""Exact answers to properties of a network on a domain, with their proofs."""
