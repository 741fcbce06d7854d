"""The URI, shown as a QR code, by which an authenticator app imports a TOTP secret.

https://github.com/google/google-authenticator/wiki/Key-Uri-Format
"""

from urllib.parse import quote, urlencode

ISSUER = "JobTracker"  # which the app shows beside the code


def otpauth_uri(secret: str, label: str | None) -> str:
    """Return the otpauth URI of a secret; the label is the account, with or without the issuer."""
    name = (label or "").removeprefix(f"{ISSUER}:")
    account = f"{ISSUER}:{quote(name, safe='')}" if name else ISSUER
    query = urlencode({"secret": secret, "issuer": ISSUER}, quote_via=quote)
    return f"otpauth://totp/{account}?{query}"
