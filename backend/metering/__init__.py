"""Usage events: counting tokens, ingest, counting into rollups, queries, archives."""
