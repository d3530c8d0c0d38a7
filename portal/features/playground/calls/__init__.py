"""Calls of models: what is sent, the answer as it comes in, and what it costs."""
