"""The schema and the way to it. The only room that knows PostgreSQL's tables."""
