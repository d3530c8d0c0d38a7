"""Files of usage events to import: CSV, NDJSON and Parquet, read row by row in bounded memory."""
