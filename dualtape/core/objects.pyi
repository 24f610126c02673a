"""The reverse sweep over objects."""
