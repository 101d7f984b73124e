"""The version of this package, which its processes tell the tools."""

__version__ = "0.2.0"
