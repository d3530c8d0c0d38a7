"""Channels: the operator's webhook, and e-mail. A new channel is a file here."""
