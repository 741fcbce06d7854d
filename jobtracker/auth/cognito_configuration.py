"""Errors of Cognito that only an operator can correct, and the settings that they are about."""

import re

from jobtracker.errors import Unavailable


class SecretRejected(Unavailable):
    """Cognito does not accept the app client's secret."""

    hint = "cognito.client_secret is not that of the client"


def is_about_form(message: str) -> bool:
    """Whether a message is about the form of a parameter, and may contain it."""
    return "validation error" in message


_NO_APP_CLIENT = "there is no app client cognito.client_id in cognito.region (cognito.user_pool_id)"
_NO_FLOW = "the app client cognito.client_id does not allow USER_PASSWORD_AUTH (ExplicitAuthFlows)"

#: What an operator has to correct, by a pattern of Cognito's message in lower case. Without it most
#: of these errors look like those of a wrong password or parameter.
MISCONFIGURATIONS = {
    r"secret.*client|client.*secret": SecretRejected.hint,
    r"signup is not permitted": (
        "the user pool cognito.user_pool_id does not allow sign-up (AllowAdminCreateUserOnly)"
    ),
    r"cannot be of email format|username should be a phone number": (
        "the user pool cognito.user_pool_id must have email in UsernameAttributes"
    ),
    r"unauthorized attribute": (
        "the app client cognito.client_id may not write the attributes email and name"
    ),
    r"the attributes? .*(is|are) required": (
        "the user pool cognito.user_pool_id requires other attributes than email and name"
    ),
    r"flow (is )?not enabled|auth method not supported": _NO_FLOW,
    r"user ?pool .*does not exist": _NO_APP_CLIENT,
    r"not (been )?(enabled|configured) (by|for|in) (the |this )?user ?pool": (
        "the user pool cognito.user_pool_id does not have this feature"
    ),
    r"token revocation.*(not|disabled)|revoke.?token.*not": (
        "the app client cognito.client_id does not have EnableTokenRevocation"
    ),
    r"is not authorized to perform": "a policy of cognito.endpoint_url does not allow this",
}

_EMAIL_LIMIT = (
    "the user pool cognito.user_pool_id has reached the limit of e-mails a day without SES"
    " (EmailConfiguration)"
)

#: The same where no code was sent to an account, by a part of the message in lower case.
UNDELIVERED = {
    "contact administrator": (
        "the user pool cognito.user_pool_id lets administrators alone reset passwords"
        " (AccountRecoverySetting)"
    ),
    "auto verification": (
        "the user pool cognito.user_pool_id does not verify addresses (AutoVerifiedAttributes)"
    ),
    "daily email limit": _EMAIL_LIMIT,
}

#: The same by Cognito's code or botocore's class, where the error is 503 anyway.
HINTS = {
    "ResourceNotFoundException": _NO_APP_CLIENT,
    "InvalidParameterException": _NO_FLOW,
    **dict.fromkeys(
        ("UnsupportedOperationException", "UnauthorizedException", "OperationNotEnabledException"),
        "the app client cognito.client_id or its user pool does not allow this operation",
    ),
    **dict.fromkeys(
        (
            *("AccessDeniedException", "UnrecognizedClientException", "MissingAuthenticationToken"),
            *("InvalidSignatureException", "IncompleteSignature"),
        ),
        "cognito.endpoint_url, or a policy there, does not allow this operation",
    ),
    "LimitExceededException": _EMAIL_LIMIT,
    "ForbiddenException": "a web ACL of AWS WAF of cognito.user_pool_id blocks this server",
    "InvalidUserPoolConfigurationException": "the configuration of cognito.user_pool_id",
    **dict.fromkeys(
        ("CodeDeliveryFailureException", "InvalidEmailRoleAccessPolicyException"),
        "the user pool cognito.user_pool_id cannot send e-mails (EmailConfiguration, SES)",
    ),
    **dict.fromkeys(
        ("InvalidSmsRoleAccessPolicyException", "InvalidSmsRoleTrustRelationshipException"),
        "the user pool cognito.user_pool_id cannot send SMS (SmsConfiguration)",
    ),
    **dict.fromkeys(
        (
            *("InvalidLambdaResponseException", "UnexpectedLambdaException"),
            "UserLambdaValidationException",
        ),
        "a trigger of the user pool cognito.user_pool_id (LambdaConfig)",
    ),
    **dict.fromkeys(
        ("SoftwareTokenMFANotFoundException", "MFAMethodNotFoundException"),
        "the user pool cognito.user_pool_id does not have TOTP (MfaConfiguration)",
    ),
    **dict.fromkeys(
        ("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "SSLError"),
        "cognito.region or cognito.endpoint_url, if this persists",
    ),
}

#: For operations that are signed with AWS credentials.
ADMIN_HINTS = HINTS | {
    "ResourceNotFoundException": "there is no user pool cognito.user_pool_id in cognito.region",
    "AccessDeniedException": (
        "the credentials have no permission for this on cognito.user_pool_id (ServerPolicy in"
        " deploy/aws.yaml)"
    ),
    **dict.fromkeys(
        (
            *("InvalidSignatureException", "UnrecognizedClientException", "ExpiredTokenException"),
            *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"),
            *("TokenRetrievalError", "UnauthorizedSSOTokenError", "MetadataRetrievalError"),
        ),
        "no valid credentials: cognito.access_key_id and its secret, or boto's chain",
    ),
}


def misconfiguration(message: str) -> str | None:
    """What an operator has to correct, by the names of the settings, if a message of Cognito tells
    that this is the cause of the error."""
    if is_about_form(message):
        return None
    text = message.lower()
    return next((hint for part, hint in MISCONFIGURATIONS.items() if re.search(part, text)), None)


def undelivered(message: str) -> str | None:
    """What an operator has to correct, by the names of the settings, if a message of Cognito tells
    that this is why no code was sent to an account."""
    text = message.lower()
    return next((hint for part, hint in UNDELIVERED.items() if part in text), None)
