"""The whole page, for searches that went well and for those that did not."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from hyctas.architecture_json import read_architecture
from search.datasets.dataset import IGNORE, ClassLabel
from search.report.data import report_data
from search.report.markup import VOID
from search.report.page import report_page
from search.report.samples import SampleSet, SegmentationSample
from search.report.values import ReportData
from tests.search.report.world import FAST, SLOW, candidates, finished_report, search_run

SECTIONS = ["fronts", "convergence", "measured", "networks", "samples", "provenance"]
NO_SAMPLES = SampleSet(absent="the supernet is gone")


class Page(HTMLParser):
    """What a browser makes of a page; fails where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "title"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.attributes if name == tag]


def page_of(data: ReportData, samples: SampleSet = NO_SAMPLES) -> Page:
    return Page(report_page(data, samples))


def anchors(page: Page) -> list[str]:
    return [str(attributes["id"]) for _, attributes in page.attributes if "id" in attributes]


@pytest.fixture(scope="module")
def finished() -> ReportData:
    """A search of one target whose front is measured."""
    return finished_report()


@pytest.mark.parametrize("targets", [(FAST,), (FAST, SLOW)])
def test_page_has_its_parts_in_order_and_every_network(targets: tuple[str, ...]) -> None:
    data = finished_report(targets, 30)
    page = page_of(data)
    assert [section["id"] for section in page.named("section")] == SECTIONS
    assert [name for name in anchors(page) if name.startswith("network-")] == [
        f"network-{network.key[:12]}" for network in data.networks
    ]
    charts = [svg for svg in page.named("svg") if "chart" in str(svg.get("class"))]
    assert len(charts) == 2 * (len(targets) + 1 + len(targets))


def test_page_needs_nothing_beside_it(finished: ReportData) -> None:
    text = report_page(finished, sample_set(finished))
    page = Page(text)
    for tag, attributes in page.attributes:
        for name in ("href", "src", "data", "srcset", "action"):
            address = attributes.get(name)
            assert address is None or address.startswith(("#", "data:image/png;base64,")), (tag, address)
    assert not page.named("script") and not page.named("link")
    assert not re.search(r"url\(|@import|https?://", text)


def test_links_lead_somewhere(finished: ReportData) -> None:
    page = page_of(finished)
    targets = {f"#{name}" for name in anchors(page)}
    links = [link["href"] for link in page.named("a")]
    assert links
    assert set(links) <= targets


def test_drawings_and_charts_are_well_formed(finished: ReportData) -> None:
    drawings = re.findall(r"<svg.*?</svg>", report_page(finished, NO_SAMPLES), re.DOTALL)
    assert len(drawings) > len(finished.networks)
    for drawing in drawings:
        assert not re.search(r"\bnan\b|\binf\b", drawing)
        ElementTree.fromstring(drawing)


def test_equal_data_give_equal_pages(finished: ReportData) -> None:
    assert report_page(finished, NO_SAMPLES) == report_page(finished_report(), NO_SAMPLES)


def test_numbers_of_the_headline_stand_on_the_page(finished: ReportData) -> None:
    text = page_of(finished).text
    best = finished.by_key[finished.highlights[0].key]
    assert f"{best.miou:.3f} mIoU" in text
    assert f"{best.costs.parameters / 1e6:.3g} M" in text
    assert "48 of 48" in text
    assert "hyctas search --seed 5 --target epyc-7b12/onnxruntime-fp32-t1" in text
    drift = finished.comparisons[0].front
    assert drift is not None
    assert f"{drift.inversions} of {drift.pairs}" in text
    assert f"{drift.mape:.1%}" in text


def test_architecture_on_the_page_can_be_read_back(finished: ReportData) -> None:
    documents = [word for word in page_of(finished).words if word.lstrip().startswith('{\n "version"')]
    assert [read_architecture(json.loads(document)).key for document in documents] == [
        network.key for network in finished.networks
    ]


def test_what_others_wrote_is_escaped() -> None:
    evil = '<script>alert("1")</script>'
    run = search_run(summary={"ended_by": evil, "message": evil}, status="interrupted")
    run = dataclasses.replace(run, settings={**run.settings, "dataset": evil, "supernet": evil})
    records = candidates(run, 6)
    records[0] = dataclasses.replace(records[0], miou=None, failure=evil)
    page = page_of(report_data(run, records), SampleSet(absent=evil))
    assert not page.named("script")
    assert page.text.count(evil) >= 4


def test_interrupted_search_says_so_and_how_to_go_on() -> None:
    run = search_run(status="interrupted", summary={"ended_by": "KeyboardInterrupt", "message": ""})
    text = page_of(report_data(run, candidates(run, 6))).text
    assert "was interrupted (KeyboardInterrupt)" in text
    assert "hyctas search --resume 7" in text
    assert "none was evaluated with more care" in text
    assert f"No network of this search was measured on {FAST}" in text


def test_search_without_a_candidate_says_so() -> None:
    run = dataclasses.replace(search_run(status="running"), reference_point=None)
    text = page_of(report_data(run, [])).text
    assert "still running" in text
    assert "There is no front yet" in text
    assert "No reference point is stored" in text


def test_search_of_failures_only_names_them() -> None:
    run = search_run()
    records = [dataclasses.replace(record, miou=None, failure="it died") for record in candidates(run, 2)]
    text = page_of(report_data(run, records)).text
    assert "2 candidates failed" in text
    assert "it died" in text


def test_search_whose_limit_nobody_keeps_draws_its_candidates() -> None:
    run = search_run(limits_s=[1e-6])
    page = page_of(report_data(run, candidates(run, 6)))
    assert "No candidate keeps to the limits" in page.text
    assert any(path.get("class") == "dots refused" for path in page.named("path"))


def test_search_of_one_branch_count_and_one_network_is_drawn() -> None:
    run = search_run()
    record = next(record for record in candidates(run, 12) if len(record.document["branches"]) == 1)
    page = page_of(report_data(run, [dataclasses.replace(record, generation=1)]))
    assert "Every candidate has 1 branch." in page.text
    assert any(path.get("class") == "front b1 alone" for path in page.named("path"))


def test_networks_that_left_the_fronts_are_named() -> None:
    run = search_run()
    records = candidates(run, 24)
    members = [network for network in report_data(run, records).networks if network.overall]
    final = {network.key: network.search_miou for network in members} | {members[0].key: 0.9}
    data = report_data(run, [dataclasses.replace(r, final_miou=final.get(r.architecture_key)) for r in records])
    text = page_of(data).text
    assert data.left
    assert all(key[:12] in text for key in data.left)
    assert "left the fronts when their mIoU was found with more care" in text


def sample_set(data: ReportData) -> SampleSet:
    """Two images as two networks see them, both with a third of the pixels wrong."""
    classes = (ClassLabel("sky", (1, 2, 3)), ClassLabel("road", (4, 5, 6)), ClassLabel("absent", (7, 8, 9)))
    labels = np.zeros((6, 8), dtype=np.uint8)
    labels[0], labels[1:3] = IGNORE, 1
    predicted = np.where(labels == IGNORE, 0, labels).astype(np.uint8)
    predicted[5] = 1
    image = np.full((6, 8, 3), 100, dtype=np.uint8)
    return SampleSet(
        classes,
        tuple(
            SegmentationSample(network.key, name, image, labels, predicted)
            for name in ("first", "second")
            for network in data.networks[:2]
        ),
    )


def test_samples_stand_side_by_side_with_their_classes(finished: ReportData) -> None:
    page = page_of(finished, sample_set(finished))
    captions = [image["alt"] for image in page.named("img")]
    right = ["network 1: 80% of pixels right", "network 2: 80% of pixels right"]
    assert captions == ["first", "ground truth", *right, "second", "ground truth", *right]
    legend = page.text[page.text.index("Sample segmentations") :]
    assert "sky" in legend and "road" in legend and "absent" not in legend


def test_absent_samples_say_why(finished: ReportData) -> None:
    assert "There are no sample segmentations: the supernet is gone." in page_of(finished).text
