"""The centre's database: its tables, their migrations, and the connection to them."""
