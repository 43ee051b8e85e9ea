"""Stage 1, video: what files hold (probe), and frames and sound on one clip grid (decode)."""
