"""The REST API: thin routers that parse, authorise, call a room and answer."""
