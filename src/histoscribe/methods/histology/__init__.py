"""Cell composition from H&E alone; one file per method."""
