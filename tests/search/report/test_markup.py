"""HTML from values."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from search.report.markup import Markup, element, joined, number


class Reader(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"])))
def test_text_comes_back_whatever_it_holds(text: str) -> None:
    reader = Reader()
    reader.feed(element("p", {"title": text}, text))
    reader.close()
    assert [tag for tag, _ in reader.tags] == ["p"]
    assert reader.tags[0][1]["title"] == text
    assert reader.text == text


def test_markup_is_taken_as_it_is_and_text_is_not() -> None:
    assert element("p", None, Markup("<b>"), "<b>") == "<p><b>&lt;b&gt;</p>"
    assert joined(["a", Markup("<br>"), "&"], ", ") == "a, <br>, &amp;"


def test_attributes_of_none_are_left_out_and_numbers_are_short() -> None:
    assert element("rect", {"x": 1.0, "y": 0.333333, "rx": None}) == '<rect x="1" y="0.33"></rect>'


def test_elements_without_content_have_no_end() -> None:
    assert element("img", {"alt": 'a "b"'}) == '<img alt="a &quot;b&quot;">'


def test_numbers_have_no_minus_zero() -> None:
    assert [number(value) for value in (-0.001, 0.0, -1.5, 100.0, 1e-9)] == ["0", "0", "-1.5", "100", "0"]
