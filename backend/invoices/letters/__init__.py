"""E-mails to customers: their addressees and their text."""
