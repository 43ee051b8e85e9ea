"""Stage 5, report: metrics over seeds and splits, tables, figures and pages."""
