"""What every stage uses: errors, files, progress, the terminal, GPUs, ffmpeg. Imports no stage."""
