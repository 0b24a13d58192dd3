"""Real text: where it comes from, how it falls into passages, and how a passage is found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from headroles import limits
from headroles.errors import LimitError, TextFileError
from headroles.texts import sources
from headroles.texts.sources import Document, own_files, own_text, read_passages


@pytest.mark.parametrize("key", sources.SOURCES)
def test_every_machine_has_them(key: str) -> None:
    passages = read_passages(sources.SOURCES[key])
    assert len(passages) > 50
    assert all(0 < len(one.text) < sources.LONGEST_PASSAGE * 1.3 for one in passages)
    assert len({one.digest for one in passages}) == len(passages)
    assert read_passages(sources.SOURCES[key]) == passages  # the same order each time


def test_a_passage_is_found_by_its_digest() -> None:
    passage = read_passages(sources.MANUAL)[5]
    assert sources.find([passage.digest, "0" * 12]) == {passage.digest: passage}


def test_a_cut_loses_no_word_and_stays_within_the_length() -> None:
    text = "\n\n".join(f"Paragraph {n}.\n    indented {n}\n" + "word " * n for n in range(150))
    pieces = sources.cut(text)
    assert " ".join(pieces).split() == text.split()
    assert all(len(piece) < sources.LONGEST_PASSAGE + sources.SHORTEST_PASSAGE for piece in pieces)


def test_a_line_without_a_space_is_cut_anywhere() -> None:
    assert [len(piece) for piece in sources.cut("x" * 25, longest=10)] == [10, 10, 5]


def test_a_short_rest_is_joined_to_the_passage_before() -> None:
    assert sources.cut("aaaa bbbb\n\ncccc dddd\n\ne", longest=10) == ["aaaa bbbb", "cccc dddd\ne"]


def test_a_drawing_is_fixed_by_its_seed_and_keeps_the_order() -> None:
    passages = read_passages(sources.STORIES)
    drawn = sources.draw(passages, 10, seed=1)
    assert drawn == sources.draw(passages, 10, seed=1)
    assert drawn != sources.draw(passages, 10, seed=2)
    assert [one.place for one in drawn] == sorted(one.place for one in drawn) or len(drawn) == 10
    assert sources.draw(passages, 10_000, seed=1) == passages


def test_a_folder_is_read_without_links_hidden_files_and_what_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("Second.")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.md").write_text("Third.")
    (tmp_path / ".secret").write_text("no")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG....")
    outside = tmp_path.parent / f"{tmp_path.name}-outside.txt"
    outside.write_text("outside")
    (tmp_path / "link.txt").symlink_to(outside)
    source, skipped = own_files(tmp_path)
    assert [one.name for one in source.documents()] == ["b.txt", "deep/a.md"]
    assert len(skipped) == 1
    assert "picture.png" in skipped[0]


def test_a_file_is_a_source(tmp_path: Path) -> None:
    (tmp_path / "essay.txt").write_text("One.\n\nTwo.")
    source, skipped = own_files(tmp_path / "essay.txt")
    assert [one.name for one in source.documents()] == ["essay.txt"]
    assert not skipped


def test_nothing_and_too_much_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TextFileError):
        own_files(tmp_path)
    with pytest.raises(TextFileError):
        own_files(tmp_path / "none.txt")
    with pytest.raises(TextFileError):
        own_text([Document("a", " \n")])
    with pytest.raises(LimitError):
        own_text([Document("a", "x" * (limits.CORPUS.most + 1))])
