"""The sweeps in C, in pieces between which Ctrl-C is looked for."""
