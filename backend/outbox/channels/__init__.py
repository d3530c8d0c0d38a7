"""The ways to deliver: the operator's webhook, and e-mail. A new way is a file here."""
