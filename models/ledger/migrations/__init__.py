"""Migrations: what ``models.ledger.migrate`` runs; each is explicit SQL beside a few lines."""
