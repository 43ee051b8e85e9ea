"""Stage 1, video: what the files hold (probe) and their frames and sound on one clip grid (decode)."""
