"""Lines of a bill as rows, for the running period and for invoices alike."""
