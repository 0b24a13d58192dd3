"""The only reader and writer of ``data/``: the file of the roles, its schema and its versions."""
