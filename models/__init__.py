"""What the city's linkage is about: a pure domain, and the ledger that keeps its truth."""
