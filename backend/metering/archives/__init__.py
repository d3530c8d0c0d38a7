"""Old events in Parquet files: archiving, listing, checking, restoring; and the worker's pass.

Rollups stay, so that usage and bills do not change. A day (UTC) is archived as a whole.
"""
