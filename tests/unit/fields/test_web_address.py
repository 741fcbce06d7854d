"""Addresses of any script are valid, and what is no host or not safe as a link is not."""

import colander
import pytest
from colander import SchemaNode

from jobtracker.fields import WebAddress

NODE = SchemaNode(WebAddress(max=2000), name="job_url")


@pytest.mark.parametrize(
    "host",
    [
        "\u0939\u093f\u0928\u094d\u0926\u0940.\u092d\u093e\u0930\u0924",  # Devanagari
        "\u09ac\u09be\u0982\u09b2\u09be.\u09ad\u09be\u09b0\u09a4",  # Bengali
        "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd.\u0b87\u0ba8\u0bcd\u0ba4\u0bbf\u0baf\u0bbe",  # Tamil
        "\u0d2e\u0d32\u0d2f\u0d3e\u0d33\u0d02.example",  # Malayalam
        "\u0e44\u0e17\u0e22.\u0e44\u0e17\u0e22",  # Thai
        "\u0e97\u0ebb\u0e94\u0eaa\u0ead\u0e9a.example",  # Lao
        "\u1797\u17b6\u179f\u17b6\u1781\u17d2\u1798\u17c2\u179a.example",  # Khmer
        "\u1019\u103c\u1014\u103a\u1019\u102c.example",  # Myanmar
        "\u0f56\u0f7c\u0f51.example",  # Tibetan
        "\u0623\u0645\u062b\u0650\u0644\u0629.\u0625\u062e\u062a\u0628\u0627\u0631",  # Arabic
        "\u05e2\u05b4\u05d1\u05b0\u05e8\u05b4\u05d9\u05ea.example",  # Hebrew
        "\u078b\u07a8\u0788\u07ac\u0780\u07a8.example",  # Thaana
        "\u10e5\u10d0\u10e0\u10d7\u10e3\u10da\u10d8.\u10d2\u10d4",  # Georgian
        "\u043c\u0438\u0440.\u0440\u0444",  # Cyrillic
        "\u4e2d\u6587.\u4e2d\u56fd",  # Chinese
        "\ud55c\uad6d.kr",  # Korean
        "\u0dc1\u0dca\u200d\u0dbb\u0dd3.\u0dbd\u0d82\u0d9a\u0dcf",  # Sinhala, with a joiner
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645.example",  # Persian
        "col\u00b7lecci\u00f3.example",  # Catalan
        "\u05e6\u05d4\u05f4\u05dc.example",  # Hebrew, with gershayim
        "\u0f56\u0f7c\u0f51\u0f0b\u0f61\u0f72\u0f42.example",  # Tibetan, with a tsheg
        "\u30de\u30fb\u30ea.example",  # Japanese, with a middle dot
        "\u4f8b\u3048\u3002\u30c6\u30b9\u30c8",  # with the full stop of Japanese
        "\uff41\uff43\uff4d\uff45\uff0eexample",  # full-width
        *(
            "xn--bcher-kva.example",
            "r3---sn-a.example",
            "localhost:8080",
            "a_b.example.",
            "127.0.0.1",
        ),
        *("_a.example", "a_.example", "a._b_.example", "__a.example", "_"),
        # Percent-encoded.
        *("b%C3%BCcher.example", "%e4%b8%ad%e6%96%87.example", "a%2eb", "%E0%A4%95%E0%A4%BF.c"),
    ],
    ids=ascii,
)
def test_host_of_any_script_is_valid(host: str):
    for url in (f"https://{host}", f"http://{host}/\u0928\u094c\u0915\u0930\u0940?q=\U0001f600#x"):
        assert NODE.deserialize(url) == url


@pytest.mark.parametrize(
    ("before", "after"),
    [
        *(
            ("\ufeff", " \n"),
            ("\u200e", "\u200f"),
            ("\u2066", "\u2069 "),
            ("\u202b \u200b", "\u061c"),
        ),
        ("\u200b\u200e", "\u200e\u200b"),
    ],
    ids=ascii,
)
def test_address_is_normalized(before: str, after: str):
    text = f"{before}https://bu\u0308cher.example/{after}"
    assert NODE.deserialize(text) == "https://b\u00fccher.example/"


@pytest.mark.parametrize(
    "host",
    [
        *("", ".", "..", "a..b", "-a.b", "a-.b", "a.-", "a<b", "a b.c", "a%20b", "a,b.c"),
        *("\u200b", "a\u200bb.c", "\u3164", "\u115f", "\u2800.c", "\u00ad.c", "a\u034fb.c"),
        *("a\ufe0f.c", "a\u2060b.c", "\U000e0041.c", "\u0301.c", "\u093f\u0928.c", "\ufeff.c"),
        # Joiners without letters of a script that has them on both sides.
        *("\u200d.c", "a\u200db.c", "a\u200c.c", "\u0928\u200d.c", "\u200c\u0928.c"),
        *(
            "a\u202eb.c",
            "\u200fa.c",
            "\u2066a.c",
            "\u00b7a.c",
            "\u30fb.c",
            "a\u061cb.c",
            "a\u00a0b.c",
            "a\u2028b.c",
        ),
        *("a\\@b.c", "a.b\\c", "a\tb.c", "java\nscript.c", "a\x85b.c", "a\x7fb.c", "a\u2100b.c"),
        # Percent-encoded: blanks, delimiters, invisible characters, what is no UTF-8.
        *("a%00b.c", "a%2fb.c", "a%40b.c", "a%3a1", "a%5cb.c", "%2d.c", "a%E2%80%8Bb.c", "%", "%f"),
        *("%ff.c", "a%c3.c", "%C0%AE.c", "a%252eb.c", "%E2%80%AEa.c", "%F0%9F%98%80.c", "%CC%81.c"),
        *("a:b", "a:99999", "[", "[::1", "a\u3002\uff0eb", "\U0001f600.c", "a\uff0fb.c"),
    ],
    ids=ascii,
)
def test_what_is_no_host_is_invalid(host: str):
    for url in (f"https://{host}", f"http://{host}/x"):
        with pytest.raises(colander.Invalid):
            NODE.deserialize(url)


@pytest.mark.parametrize(
    "url",
    [
        *("javascript:alert(1)", "java\tscript:alert(1)", "\u200bjavascript:alert(1)", "data:,x"),
        *("vbscript:x", "file:///etc/passwd", "//a.b", "/x", "a.b", "https:a.b", "https:///a.b"),
        *(
            "https://a.b/\u202egpj.exe",
            "https://a.b/\u2067x",
            "https://a.b/x\ny",
            "https://a.b/\\x",
        ),
        *(
            "https://a.b/\u2028x",
            "https://a.b/x\u0085y",
            "https://a.b/x\u200fy",
            "ht\u200btps://a.b",
        ),
    ],
    ids=ascii,
)
def test_unsafe_address_is_invalid(url: str):
    with pytest.raises(colander.Invalid):
        NODE.deserialize(url)
