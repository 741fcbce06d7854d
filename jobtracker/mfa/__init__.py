"""TOTP as a second factor that the user enables and disables."""
