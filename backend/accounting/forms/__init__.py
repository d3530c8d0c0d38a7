"""Journals as the files that accounting programs import. Pure."""
