"""TOTP codes, as an authenticator app computes them."""

import time

from moto.cognitoidp.utils import cognito_totp


def code(secret: str) -> str:
    """The current code, which is valid for two seconds more: moto accepts no other."""
    if time.time() % 30 > 28:
        time.sleep(2)
    return cognito_totp(secret).generate(int(time.time())).decode()


def wrong_code(secret: str) -> str:
    """The code of another time."""
    totp = cognito_totp(secret)
    now = code(secret)
    others = (totp.generate(moment).decode() for moment in range(0, 3000, 30))
    return next(other for other in others if other != now)
