"""A substitute for a Cognito user pool that signs access tokens and publishes its JWKS."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

REGION = "us-east-1"
POOL_ID = "us-east-1_Benchmark"
CLIENT_ID = "benchmark"
ISSUER = f"https://cognito-idp.{REGION}.amazonaws.com/{POOL_ID}"
KEY_ID = "benchmark"
# The lifetime of a token: longer than any run.
SECONDS_VALID = 24 * 3600


class UserPool:
    """An RSA key as long as Cognito's, and an HTTP server for the JWKS."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        jwk = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        document = {"keys": [{**jwk, "kid": KEY_ID, "alg": "RS256", "use": "sig"}]}
        body = json.dumps(document).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                """No log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.jwks_url = f"{self.url}/{POOL_ID}/.well-known/jwks.json"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(self, sub: str, jti: str = "0b0f5a53-3a53-4d3b-8d4c-6a9f0f6b7a11") -> str:
        """An access token with the claims of Cognito's."""
        now = int(time.time())
        claims = {
            "sub": sub,
            "iss": ISSUER,
            "client_id": CLIENT_ID,
            "origin_jti": "8d2b1e2c-5b1e-4f0e-9c3a-0c6a1a4a8f10",
            "event_id": "3f2a6f0c-6f0e-4b56-8f7b-0b7a3a0f1b22",
            "token_use": "access",
            "scope": "aws.cognito.signin.user.admin",
            "auth_time": now,
            "iat": now,
            "exp": now + SECONDS_VALID,
            "jti": jti,
            "username": sub,
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": KEY_ID})
