"""The next request as code, in five languages. Pure."""
