"""Stage 2, features: one map per one-second clip and modality, from frozen backbones, cached."""
