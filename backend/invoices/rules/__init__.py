"""Rules of invoices that need no storage: their lines, states, reminders and notices. Pure."""
