"""Old events in Parquet files: written, listed, checked, brought back; and the nightly pass.

Rollups stay, so that usage and bills do not change by it. A day (UTC) is archived as a whole.
"""
