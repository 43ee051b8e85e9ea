"""Summaries of runs and their confidence intervals."""
