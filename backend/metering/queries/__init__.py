"""Queries: usage from rollups, single events from the events.

Reads only. A range is half-open: from its start up to and excluding its end.
"""
