"""The innermost row: data, names, units and files; imports nothing else of ours."""
