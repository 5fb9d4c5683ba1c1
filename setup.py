"""`cli/` and `schemas/` are installed as `cityid._cli` and `cityid._schemas`: one top-level name, not three."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["cityid", "cityid.*"]),
        "cityid._cli",
        *("cityid._cli." + name for name in find_packages("cli")),
        "cityid._schemas",
    ],
    package_dir={"cityid": "cityid", "cityid._cli": "cli", "cityid._schemas": "schemas"},
)
