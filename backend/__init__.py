"""Farebox's backend: meters, prices and bills the calls of an AI API."""
