"""The procedure manual: what happens in which order, as Prefect runs and shows it."""
