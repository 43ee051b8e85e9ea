"""What Snakemake asks at parse time: config, names, paths of the stages, video identity."""
