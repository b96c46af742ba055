"""Metrics with intervals, figures, and the evaluation report."""
