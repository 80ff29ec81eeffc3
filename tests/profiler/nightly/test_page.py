"""The HTML page of a night: everything is on it, and nothing of it is code."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from profiler.nightly.history_chart import history_chart
from profiler.nightly.page import night_page


class Reader(HTMLParser):
    """Text and tags of a page; whether all tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag != "meta":
            self.open.append(tag)
        assert not any(name in ("src", "href") for name, _ in attrs), "the page needs nothing beside it"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def verdict(name: str, state: str, **changes: Any) -> dict[str, Any]:
    numbers = {"change": 0.07, "detectable": 0.02, "p_value": 1e-6, "adjusted": 1e-5, "looked_again": state == "slower"}
    seen = {"history": [0.0, 0.01, -0.01], "tonight": [0.07, 0.071]}
    return {"name": name, "sort": "canary", "state": state, **numbers, **seen, **changes}


def a_report(**changes: Any) -> dict[str, Any]:
    target = {
        "target": "epyc/onnxruntime-fp32-t1",
        "error": "<script>alert(1)</script>",
        "nights": 12,
        "processes": {"first_look": 3, "second_look": 8},
        "changed": {"onnxruntime": {"before": "1.26", "now": "1.27"}},
        "slower": ["conv 96>32"],
        "broken": {"sa 43>43": "crash: it died"},
        "verdicts": [
            verdict("stem", "quiet"),
            verdict("new one", "new", history=[]),
            verdict("conv 96>32", "slower"),
            verdict("gone", "new", history=[], tonight=[]),
        ],
        "filled": {"wanted": {"missing": 4}, "measured": {"missing": 3}, "unstable": 1, "failed": 0, "remaining": 0},
        "trained": {"model_id": "m1", "registered": False, "reason": "worse than m0"},
        "notes": ["one night does not count"],
    }
    report = {
        "night": "2026-05-01",
        "state": "regression",
        "began_at": "2026-05-01T02:00:00+00:00",
        "took_s": 60.0,
        "version": "0.1.0",
        "false_alarms": 0.01,
        "waiting": 1,
        "errors": ["the disk is full"],
        "retention": {"reports": 2},
        "webhook": "webhook at https://chat: status 500",
        "targets": [target],
    }
    return {**report, **changes}


def read(report: dict[str, Any]) -> Reader:
    reader = Reader()
    reader.feed(night_page(report))
    assert reader.open == []
    return reader


def test_everything_of_a_night_is_on_the_page() -> None:
    page = read(a_report())
    text = "".join(page.text)
    for said in (
        "1 got slower; 1 canary does not run any more; 1 target could not be measured; 1 job is not done yet.",
        "held under 1.00%",
        "<script>alert(1)</script>",
        "sa 43>43: crash: it died",
        "onnxruntime 1.26 to 1.27",
        "3 processes, and 8 more for a second look; compared with 12 earlier nights",
        "4 missing. Measured 3, unstable 1",
        "No model was registered: worse than m0",
        "+7.00%",
        "the disk is full",
        "Nobody was told: webhook at https://chat: status 500",
        "Forgotten: 2 reports",
        "too little history",
    ):
        assert said in text
    assert "script" not in page.tags
    names = [said for said in page.text if said in ("conv 96>32", "stem", "new one")]
    assert names == ["conv 96>32", "stem", "new one"]


def test_night_without_anything_is_a_page_too() -> None:
    quiet = a_report(targets=[], errors=[], webhook="told", waiting=0, state="quiet", retention={})
    assert "Nothing got slower." in "".join(read(quiet).text)


def test_chart_has_a_mark_for_each_night_and_process() -> None:
    chart = history_chart(verdict("conv", "slower"))
    assert chart.count('class="night"') == 3
    assert chart.count('class="tonight slower"') == 2
    assert "3 earlier nights and 2 processes of tonight" in chart
    assert history_chart(verdict("conv", "new", history=[], tonight=[])) == ""
    assert "0 earlier nights" in history_chart(verdict("conv", "new", history=[], tonight=[1.0]))
