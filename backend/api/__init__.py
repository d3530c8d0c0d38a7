"""The REST API: thin routers that parse, authorize, call a room and answer."""
