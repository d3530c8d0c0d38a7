"""How documents are booked, and when revenue is recognized. Pure."""
