"""What Snakemake needs at parse time: the checked config, paths, shards and video identities."""
