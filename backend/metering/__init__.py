"""Usage events: counting tokens, publishing, consuming, rolling up, querying."""
