"""Deconvolvers: one file each; see `histoscribe.methods.COMPOSITION`."""
