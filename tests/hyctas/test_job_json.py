"""Jobs as JSON: what was written is read back, and what is wrong is named."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hyctas.architecture import default_settings
from hyctas.errors import InvalidInput, SchemaMismatch
from hyctas.job import Job, JobOptions
from hyctas.job_json import VERSION, job_to_json, read_job, ticket
from hyctas.parts import Part
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.target import parse_target

TARGET = parse_target("epyc-7b12/onnxruntime-fp32-t1")
PARTS = (Part("conv", 8, 16, (4,), 8, 2), Part("fuse", 8, 16, (8, 4), 8))


@pytest.fixture
def job() -> Job:
    """A job with everything in it."""
    settings = replace(default_settings("hyctas"), height=64, width=128, base_channels=4)
    networks = sample_structured(SearchSpace(depth=7), np.random.default_rng(0), 3, settings)
    options = JobOptions(seed=7, budget_s=2.5, repeats=0, retry_failed=True, recalibrate=True)
    return Job("chosen", TARGET, PARTS, tuple(networks), "2026-01-31", options)


def test_job_is_read_back_as_it_was_written(job: Job) -> None:
    document = json.loads(json.dumps(job_to_json(job)))
    assert read_job(document) == job
    assert job.workloads == 5


def test_id_follows_from_the_content_alone(job: Job) -> None:
    assert ticket(job) == ticket(read_job(json.loads(json.dumps(job_to_json(job)))))
    others = [
        replace(job, label="2026-02-01"),
        replace(job, kind="networks"),
        replace(job, target=parse_target("a100/tensorrt-fp16")),
        replace(job, parts=PARTS[:1]),
        replace(job, networks=job.networks[1:]),
        replace(job, options=replace(job.options, seed=8)),
    ]
    ids = {ticket(each).id for each in (job, *others)}
    assert len(ids) == 7 and all(len(id_) == 32 for id_ in ids)


def test_job_of_a_newer_version_is_left_to_a_newer_hyctas(job: Job) -> None:
    with pytest.raises(SchemaMismatch, match=f"format {VERSION + 1}, this hyctas knows up to {VERSION}.*upgrade"):
        read_job({**job_to_json(job), "version": VERSION + 1, "field of the future": 1})


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"version": 0}, r"\$\.version"),
        ({"version": "1"}, r"\$\.version"),
        ({"version": True}, r"\$\.version"),
        ({"surprise": 1}, r"unknown field `surprise`"),
        ({"kind": 3}, r"\$\.kind"),
        ({"target": "nonsense"}, "target: 'nonsense'"),
        ({"options": {"seed": "x"}}, r"\$\.options\.seed"),
        ({"parts": [], "networks": []}, "at least one part or network"),
        ({"parts": [{"kind": "conv"}]}, r"\$\.parts\[0\]"),
        (
            {"parts": [{"kind": "warp", "height": 8, "width": 8, "in_channels": [4], "out_channels": 4}]},
            r"\$\.parts\[0\].*unknown part kind 'warp'",
        ),
        ({"networks": [{"version": 1}]}, r"\$\.networks\[0\]"),
    ],
)
def test_what_is_wrong_with_a_job_is_named(job: Job, change: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidInput, match=path):
        read_job({**job_to_json(job), **change})
