"""Stage 3, dataset: manifests, shards, and the feature files that training reads."""
