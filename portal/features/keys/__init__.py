"""API keys: creating, listing and revoking them.

A new key's secret is shown once, in the dialog that made it.
"""
