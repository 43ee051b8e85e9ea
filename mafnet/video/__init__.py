"""Stage 2, video: reads the properties of files (probe), and decodes them to clips (decode)."""
