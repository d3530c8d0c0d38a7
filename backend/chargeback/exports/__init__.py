"""Statements and journals as files. Pure."""
