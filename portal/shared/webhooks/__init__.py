"""Endpoints and deliveries of webhooks: as their owner sees them, and the operator."""
