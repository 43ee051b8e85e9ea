"""Stage 4, model: the networks, their training and their evaluation."""
