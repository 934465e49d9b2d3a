"""One driver for each database and colour; nothing else imports a database library."""
