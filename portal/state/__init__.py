"""What the server keeps for each open tab. One state a concern; no secret in a public var."""
