"""Operations: the queue, events that could not be counted, and invoice runs; for the operator."""
