"""The asynchronous client: how it sends calls, its pages, and its resources."""
