"""Questions about usage, answered from rollups; and about single events, from events.

Reads only. A range is half-open: from its start up to, and without, its end.
"""
