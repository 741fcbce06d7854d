"""What the tests of Cognito's errors share."""

import base64
import hashlib
import hmac

from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

# Must not appear in any response.
SECRET_TEXT = "what Cognito says of this account"
SESSION = "a-session-of-cognito-that-is-long-enough"

CLIENT_ID, CLIENT_SECRET = "client", "secret-of-the-app-client"

NETWORK_ERRORS = [
    EndpointConnectionError(endpoint_url="https://cognito"),
    ConnectTimeoutError(endpoint_url="https://cognito"),
    ReadTimeoutError(endpoint_url="https://cognito"),
]


def secret_hash(username: str) -> str:
    """The secret hash of a username, as in AWS's documentation."""
    mac = hmac.new(CLIENT_SECRET.encode(), (username + CLIENT_ID).encode(), hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()
