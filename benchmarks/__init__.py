"""How fast covrules is, as a ratio to the same decisions written by hand."""
