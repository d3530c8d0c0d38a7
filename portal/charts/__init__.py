"""Charts as data: Altair makes each spec on the server, and plain functions make its rows."""
