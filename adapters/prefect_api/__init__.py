"""Prefect's server as an outside system: its bulk routes, without its library."""
