"""Files that should be text: each encoding that says what it is, and a sentence for all others."""

from __future__ import annotations

import codecs
import contextlib
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroles.errors import LimitError, TextFileError
from headroles.limits import Limit
from headroles.texts import as_text, read_text

TEXT = "The cat sat.\r\nÄ cat 🐈 – 猫\n"
MARKS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}


@pytest.mark.parametrize("encoding", MARKS)
def test_a_mark_tells_the_encoding_and_is_no_part_of_the_text(encoding: str) -> None:
    assert as_text(MARKS[encoding] + TEXT.encode(encoding), name="a.txt") == TEXT


@pytest.mark.parametrize("encoding", MARKS)
def test_without_a_mark_the_zeros_tell(encoding: str) -> None:
    english = "0.5,0\n0.25,1\n"
    assert as_text(english.encode(encoding), name="a.csv") == english


text_without_controls = st.text(st.characters(exclude_categories=["Cc", "Cs"])).filter(str.strip)


@given(text_without_controls, st.sampled_from(sorted(MARKS)))
def test_any_text_with_a_mark_comes_back(text: str, encoding: str) -> None:
    assert as_text(MARKS[encoding] + text.encode(encoding), name="a.txt") == text


@given(st.binary())
def test_any_bytes_are_a_text_without_unseen_controls_or_refused(raw: bytes) -> None:
    with contextlib.suppress(TextFileError):
        text = as_text(raw, name="a.txt")
        assert text.strip()
        assert "\0" not in text


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("word/document.xml", "<a/>")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "is empty"),
        (b" \r\n", "is empty"),
        (codecs.BOM_UTF16_LE, "is empty"),
        (b"\0\0\0\0", "is empty"),
        ("Käse".encode("latin-1"), "neither UTF-8 nor UTF-16"),
        (_zip(), "a zip archive, or a document of Word"),
        (b"%PDF-1.7 ...", "a PDF"),
        (b"{\\rtf1 hello}", "formatting"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b"The\0cat", r"control character U\+0000"),
        (b"a\x1b[31mred", r"control character U\+001B"),
        (codecs.BOM_UTF16_LE + b"a", "is damaged: it begins like UTF-16"),
        (codecs.BOM_UTF8 + b"\xff", "is damaged: it begins like UTF-8"),
        (codecs.BOM_UTF32_LE + b"\xff\xff\xff\xff", "is damaged: it begins like UTF-32"),
    ],
)
def test_what_is_no_text_is_refused_with_the_reason(raw: bytes, why: str) -> None:
    with pytest.raises(TextFileError, match=why):
        as_text(raw, name="a.txt")


def test_a_name_stays_one_line_and_short() -> None:
    with pytest.raises(TextFileError) as raised:
        as_text(b"", name="a\n" + "b" * 400)
    assert raised.value.message.startswith("The file a↵bbb")
    assert len(raised.value.message) < 90


def test_a_file_on_disk_is_read_up_to_a_size(tmp_path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("é".encode("utf-16"))
    assert read_text(path) == "é"
    with pytest.raises(LimitError, match="has 4 bytes; at most 3"):
        read_text(path, limit=Limit(3, "It has {:,} bytes", "Shorten it."))
    for wrong in (tmp_path, tmp_path / "none", tmp_path / "a\0b"):
        with pytest.raises(TextFileError, match="cannot be read"):
            read_text(wrong)
