"""One step each, over a list: read the ledger, call the outside, record what came of it."""
