"""Of what kind of numbers a node is."""
