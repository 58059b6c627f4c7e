"""The log of evidence: sealed, signed, shown, and a party forgotten."""
