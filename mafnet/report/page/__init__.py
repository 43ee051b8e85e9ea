"""The pages to look at: summary.html and report.html, each one file that opens offline."""
