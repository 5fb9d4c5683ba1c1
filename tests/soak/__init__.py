"""The reliability experiments (docs/explanation/reliability.md): crashes, full disks, crowds, clocks, upgrades, leaks.

`python -m tests.soak MINUTES` runs all of them, round after round, in their long form; `test_short.py` once, in the
short form. Every checker is first shown something that is wrong in the way it looks for.
"""
