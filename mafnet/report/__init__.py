"""Stage 5, report: metrics over seeds and splits, tables, and the pages to look at."""
