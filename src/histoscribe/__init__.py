"""HistoScribe."""
