"""Numbers for whoever watches the server: what is declared, counted by each process, and asked of the database."""
