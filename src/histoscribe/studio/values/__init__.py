"""Values for the viewer: genes as vectors, their trust, groups, markers."""
