"""The record in PostgreSQL: tables, named queries, migrations; the only SQL and the only commits."""
