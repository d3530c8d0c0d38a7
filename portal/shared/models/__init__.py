"""A model in words: what it is, what it costs on the reader's plan, how it performs."""
