"""mafnet: audio-visual event recognition, from raw videos to numbers."""

__version__ = "0.1.0"
