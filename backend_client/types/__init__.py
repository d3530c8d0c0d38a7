"""The wire types: what the backend serves and its clients read. The one contract."""
