"""Removes one check at a time, and expects a test to notice: `make mutants`."""
