"""What holds of invoices whatever is stored: their lines, states, reminders and notices. Pure."""
