"""Codes as an authenticator app would show them."""

import time

from moto.cognitoidp.utils import cognito_totp


def code(secret: str) -> str:
    """The code of now; moto takes no other, so not in the last moments of its time."""
    if time.time() % 30 > 28:
        time.sleep(2)
    return cognito_totp(secret).generate(int(time.time())).decode()


def wrong_code(secret: str) -> str:
    """A code of another time, far from now."""
    totp = cognito_totp(secret)
    now = code(secret)
    others = (totp.generate(moment).decode() for moment in range(0, 3000, 30))
    return next(other for other in others if other != now)
