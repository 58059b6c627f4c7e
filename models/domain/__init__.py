"""The rules of the linkage, without a database, a network or a clock."""
