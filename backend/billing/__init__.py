"""Plans, subscriptions and what a tenant has spent."""
