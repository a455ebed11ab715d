"""Imputers of unmeasured sections of a stack, one file each."""
