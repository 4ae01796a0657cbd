"""The version, in a place of its own: the build reads it, and the User-Agent."""

__version__ = "0.1.0"
"""The version of this package."""
