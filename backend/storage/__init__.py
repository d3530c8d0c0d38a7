"""The schema and the way to it. The only room that knows PostgreSQL's tables.

Owns tables, migrations, the connection pool, and what counts as an outage. Imports no room. A
tenant's tables begin their keys with the tenant; times are ``timestamptz``.
"""
