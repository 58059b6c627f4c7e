"""A ledger with thousands of settled cases: those that are there, again and again under other names."""

from benchmarks.filling import MANIFOLD, fill, parts

__all__ = ["MANIFOLD", "fill", "parts"]
