"""Methods that predict the bulk expression of a whole slide from the features of its tiles."""
