"""The developer portal: a Reflex app that reaches the backend through ``backend_client`` alone."""
