"""What the tests of Cognito's errors share."""

from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

# Must not appear in any response.
SECRET_TEXT = "what Cognito says of this account"
SESSION = "a-session-of-cognito-that-is-long-enough"

NETWORK_ERRORS = [
    EndpointConnectionError(endpoint_url="https://cognito"),
    ConnectTimeoutError(endpoint_url="https://cognito"),
    ReadTimeoutError(endpoint_url="https://cognito"),
]
