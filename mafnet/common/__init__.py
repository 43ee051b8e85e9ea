"""Code that every stage uses: errors, files, progress, terminal, GPUs, ffmpeg. Imports no stage."""
