"""The rows by family. Importing a family enters its rows in the catalogue."""


def every_row():
    from tests.faults.rows import (  # noqa: F401 - entered by being imported
        answers,
        credit,
        database,
        deaths,
        evidence,
        feeds,
        hosts,
        outages,
        prefect,
        restore,
        sleepers,
        texts,
    )
