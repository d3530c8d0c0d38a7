"""The conversation itself, and how it is kept and exported. Pure."""
