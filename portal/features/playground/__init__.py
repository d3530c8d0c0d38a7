"""Playground: a conversation with a model, its cost, and the same request as code.

Owns the one conversation of a tab, which is kept nowhere else.
"""
