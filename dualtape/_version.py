"""The version of dualtape, read by the build and by ``python -m dualtape``."""

__version__ = "0.1.0.dev0"
