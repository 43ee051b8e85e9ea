"""Stage 1, dataset: manifests, shards, archives and lists of published data sets."""
