"""The REST API: thin routers that parse, authorize, call a room and answer.

Owns HTTP: credentials in headers, permissions of routes, body limits, problem details, the
OpenAPI document, metrics. Holds no rule: what a router decides belongs in a room. Times on the
wire are RFC 3339 in UTC.
"""
