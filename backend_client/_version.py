"""The client's version, which is Farebox's."""

__version__ = "0.1.0"
