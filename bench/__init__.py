"""Measurements: ratios taken in one run against named references."""
