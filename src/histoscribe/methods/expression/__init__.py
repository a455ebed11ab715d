"""Expression predictors: one file per method, mutually independent."""
