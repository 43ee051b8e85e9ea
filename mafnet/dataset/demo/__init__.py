"""The demo data set: videos that mafnet draws and synthesises."""
