"""Every request of the API as data, one module for each part of it."""
