"""One client per outside system, each behind a port whose docstring is the contract."""
