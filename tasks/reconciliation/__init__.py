"""Our ledger against what the other systems hold."""
