"""Fuzz targets (docs/explanation/reliability.md): `python -m tests.fuzz TARGET SECONDS`, with atheris where it is
installed. What it found, and what reaches far, lies in `corpus/`, which every run of the tests goes through."""
