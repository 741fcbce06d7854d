"""What an authenticator app reads."""

from urllib.parse import quote, urlencode

# What the app shows beside the code.
ISSUER = "JobTracker"


def otpauth_uri(secret: str, label: str | None) -> str:
    """What an authenticator app reads as a QR code.

    https://github.com/google/google-authenticator/wiki/Key-Uri-Format
    """
    # Some say the issuer themselves.
    own = (label or "").removeprefix(f"{ISSUER}:")
    account = f"{ISSUER}:{quote(own, safe='')}" if own else ISSUER
    query = urlencode({"secret": secret, "issuer": ISSUER}, quote_via=quote)
    return f"otpauth://totp/{account}?{query}"
