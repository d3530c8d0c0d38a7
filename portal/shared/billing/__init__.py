"""How a customer is named and taxed on invoices: the form, for itself and for the operator."""
