"""The demo data set: videos that mafnet generates."""
