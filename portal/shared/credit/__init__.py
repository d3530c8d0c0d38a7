"""What the forms of credit ask for, on the customer's own page and on the operator's."""
