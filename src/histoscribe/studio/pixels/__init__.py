"""Pixels for the viewer: tiles as the file stores them, or decoded, within bounded memory."""
