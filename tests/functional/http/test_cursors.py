"""Cursors: refused for another list, and without the signature of the server."""

import base64
import json

from jobtracker.http.pagination import SIGNATURE_BYTES
from tests.common.api import Api
from tests.common.pagination import assert_field_refused, cursor_from, with_cursor


class TestCursors:
    def test_cursor_of_another_list_answers_422(self, client: Api, other_client: Api, many: int):
        path = "/jobs?sort=created&status=saved&status=offer"
        cursor = cursor_from(client, f"{path}&limit=3")
        client.get(with_cursor(f"{path}&limit=5", cursor))
        client.get(with_cursor(f"{path}&unknown=1", cursor))
        for other in (
            "/jobs",
            "/jobs?sort=created",
            "/jobs?sort=updated&status=saved&status=offer",
            "/jobs?sort=created&status=saved",
            "/jobs?sort=created&status=saved&status=applied",
            "/jobs?sort=created&status=saved&status=offer&q=a",
            "/jobs?sort=created&status=saved&status=offer&tag=t1",
            "/saved-views",
        ):
            assert_field_refused(client, with_cursor(other, cursor), "cursor")
        other_client.get("/users/me")
        assert_field_refused(other_client, with_cursor(path, cursor), "cursor")

    def test_cursor_that_the_server_did_not_sign_answers_422(self, client: Api, many: int):
        cursor = cursor_from(client, "/jobs?limit=3")
        signed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        text_ = signed[SIGNATURE_BYTES:]
        made_up = [
            "x",
            "xx",
            "garbage",
            "=",
            "====",
            ".",
            "a b",
            "\u00fc",
            "\U0001f600",
            "\ud7ff",
            "%",
            "%00",
            "x" * 2000,
            "x" * 2001,
            "x" * 5000,
            *(cursor[:length] for length in range(1, len(cursor))),
            cursor + "A",
            cursor + cursor,
            cursor[::-1],
            cursor.swapcase(),
            base64.urlsafe_b64encode(text_).decode(),
            base64.urlsafe_b64encode(bytes(SIGNATURE_BYTES) + text_).decode(),
            base64.urlsafe_b64encode(bytes(SIGNATURE_BYTES)).decode(),
            base64.urlsafe_b64encode(b"[" * 900).decode(),
            json.dumps(["2026-01-01T00:00:00Z", 1]),
        ]
        for index in range(len(signed)):
            tampered = bytearray(signed)
            tampered[index] ^= 1 << index % 8
            made_up.append(base64.urlsafe_b64encode(bytes(tampered)).rstrip(b"=").decode())
        own = {"Authorization": f"Bearer {client.token}"}
        for wrong in made_up:
            there = with_cursor("/jobs?limit=3", wrong)
            answer = client.app.get(there, headers=own, status="*")
            assert answer.status_code == 422, wrong
            (error,) = answer.json["details"]["errors"]
            assert error["loc"] == ["query", "cursor"]
            assert wrong[:8] not in error["msg"] or len(wrong) < 4

    def test_blank_cursor_is_ignored(self, client: Api, many: int):
        for blank in ("", "%20"):
            assert len(client.get(f"/jobs?cursor={blank}").json) == many

    def test_cursor_that_is_not_utf8_answers_400(self, client: Api, many: int):
        client.refused(400, "GET", "/jobs?cursor=%ff%fe")
