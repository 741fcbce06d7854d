"""How much of each quota a user has used."""
