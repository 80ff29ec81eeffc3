"""Quality of networks and candidates: what is counted, and that it does not depend on what else is evaluated."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from hyctas.errors import DatasetError, InvalidArchitecture, InvalidInput
from search.batches import Batch, EvaluationBatches, TrainingBatches
from search.datasets.dataset import IGNORE
from search.evaluation.quality import (
    Failure,
    Fidelity,
    Quality,
    SupernetQuality,
    classified,
    module_quality,
    segmentation_quality,
)
from search.evaluation.recalibration import recalibrate, statistics
from search.evaluation.running import running_statistics
from search.supernet.deriving import derive
from search.supernet.sizes import resized
from tests.search.evaluation.tiny import CLASSES, NETWORKS, SIZE, SPACE, awake_supernet, networks, squares

torch.set_num_threads(1)
FIDELITY = Fidelity(2, None)


@pytest.fixture(scope="module")
def evaluate() -> SupernetQuality:
    return SupernetQuality(awake_supernet(), squares(), SIZE)


def one_hot(labels: Tensor, classes: int) -> Tensor:
    known = labels.clamp(max=classes - 1)
    return torch.nn.functional.one_hot(known, classes).permute(0, 3, 1, 2).float()


def stored(labels: Sequence[Tensor]) -> list[Batch]:
    return [Batch(torch.zeros(len(each), 3, *each.shape[1:]), each) for each in labels]


def test_perfect_logits_score_one_and_ignored_pixels_do_not_count() -> None:
    labels = torch.randint(0, 3, (2, 8, 8), generator=torch.Generator().manual_seed(0))
    labels[:, 0] = IGNORE
    quality = segmentation_quality(lambda images: one_hot(labels, 3), stored([labels]), 3)
    assert quality == Quality(1.0, (1.0, 1.0, 1.0))


def test_iou_is_counted_over_all_batches() -> None:
    labels = [torch.zeros(1, 2, 2, dtype=torch.int64), torch.ones(1, 2, 2, dtype=torch.int64)]
    quality = segmentation_quality(
        lambda images: one_hot(torch.zeros(1, 2, 2, dtype=torch.int64), 3), stored(labels), 3
    )
    assert quality.class_iou[:2] == (0.5, 0.0)
    assert math.isnan(quality.class_iou[2])
    assert quality.miou == 0.25


def test_logits_are_brought_to_the_size_of_the_labels() -> None:
    coarse = torch.tensor([[0, 1]]).repeat(2, 1)[None]
    fine = torch.tensor([[0, 0, 0, 0, 1, 1, 1, 1]]).repeat(8, 1)[None]
    assert segmentation_quality(lambda images: one_hot(coarse, 2), stored([fine]), 2).miou == 1.0
    assert torch.equal(classified(one_hot(coarse, 2), (8, 8)), fine)


def test_classes_do_not_depend_on_the_layout() -> None:
    logits = torch.randn(3, 5, 8, 16, generator=torch.Generator().manual_seed(0))
    other = logits.contiguous(memory_format=torch.channels_last)
    assert torch.equal(classified(logits, (32, 64)), classified(other, (32, 64)))


def test_logits_that_are_not_finite_are_refused() -> None:
    labels = torch.zeros(1, 4, 4, dtype=torch.int64)
    for bad in (math.nan, math.inf):
        with pytest.raises(FloatingPointError):
            segmentation_quality(lambda images, bad=bad: torch.full((1, 3, 4, 4), bad), stored([labels]), 3)


def test_nothing_labelled_is_an_error() -> None:
    labels = torch.full((1, 4, 4), IGNORE, dtype=torch.int64)
    with pytest.raises(DatasetError, match="labelled"):
        segmentation_quality(lambda images: torch.zeros(1, 3, 4, 4), stored([labels]), 3)


def test_candidate_equals_plain_torch(evaluate: SupernetQuality) -> None:
    dataset = squares()
    for architecture in networks(6):
        module = evaluate.network(architecture, 2)
        plain = derive(awake_supernet(), architecture)
        plain.load_state_dict({name: tensor.contiguous() for name, tensor in module.state_dict().items()})
        plain.eval()
        images = torch.from_numpy(np.stack([np.float32(dataset.validation[i].image) for i in range(5)]))
        images = images.permute(0, 3, 1, 2).contiguous() / 100 - 1
        with torch.no_grad():
            expected = plain(images)
            found = module(images.contiguous(memory_format=torch.channels_last))
        assert float((found - expected).abs().max() / expected.abs().max()) < 1e-4
        batches = EvaluationBatches(dataset.validation, SIZE, batch_size=3)
        quality = evaluate(architecture, FIDELITY)
        assert isinstance(quality, Quality)
        assert quality.miou == pytest.approx(module_quality(plain, batches, CLASSES).miou, abs=1e-3)


def test_candidate_does_not_depend_on_what_was_evaluated_before(evaluate: SupernetQuality) -> None:
    sample = networks(5)
    together = [evaluate(architecture, FIDELITY) for architecture in sample]
    backwards = [evaluate(architecture, FIDELITY) for architecture in reversed(sample)]
    alone = [SupernetQuality(awake_supernet(), squares(), SIZE)(architecture, FIDELITY) for architecture in sample]
    assert together == backwards[::-1] == alone
    assert len({quality.miou for quality in together if isinstance(quality, Quality)}) > 1


def test_input_size_batch_and_output_of_the_architecture_do_not_matter(evaluate: SupernetQuality) -> None:
    architecture = networks(1)[0]
    larger = resized(architecture, batch=4, height=96, width=128)
    assert evaluate(larger, FIDELITY) == evaluate(architecture, FIDELITY)


def test_fidelity_says_how_many_images(evaluate: SupernetQuality) -> None:
    architecture = networks(1)[0]
    few, all_of_them = evaluate(architecture, Fidelity(2, 2)), evaluate(architecture, FIDELITY)
    assert few != all_of_them
    assert evaluate(architecture, Fidelity(2, 7)) == all_of_them
    assert evaluate(architecture, Fidelity(1, None)) != all_of_them


def test_network_that_is_not_finite_is_a_failure_that_names_it() -> None:
    supernet = awake_supernet()
    with torch.no_grad():
        for name, parameter in supernet.named_parameters():
            if name.startswith("stem"):
                parameter.fill_(math.nan)
    architecture = networks(1)[0]
    result = SupernetQuality(supernet, squares(), SIZE)(architecture, FIDELITY)
    assert isinstance(result, Failure)
    assert architecture.key[:12] in result.message
    assert "not all finite" in result.message


CRAMPED = """
import resource
from pathlib import Path
from search.evaluation.quality import Fidelity, SupernetQuality
from tests.search.evaluation.tiny import SIZE, awake_supernet, networks, squares

supernet, dataset, (network,) = awake_supernet(), squares(), networks(1)
print(SupernetQuality(supernet, dataset, SIZE)(network, Fidelity(1, 1)))
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + (32 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
print(SupernetQuality(supernet, dataset, (2048, 4096))(network, Fidelity(1, 1)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process as Linux does")
def test_network_that_does_not_fit_into_memory_is_a_failure_that_names_it(root: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CRAMPED], cwd=root, capture_output=True, text=True, check=True)
    small, large = done.stdout.splitlines()
    assert small.startswith("Quality")
    assert large.startswith("Failure")
    assert f"network {networks(1)[0].key[:12]} does not fit into memory" in large


def test_another_number_of_classes_is_refused() -> None:
    dataset = squares()
    fewer = type(dataset)(dataset.name, dataset.classes[:2], dataset.training, dataset.validation, dataset.digest)
    with pytest.raises(InvalidInput, match="3 classes"):
        SupernetQuality(awake_supernet(), fewer, SIZE)


def test_network_of_another_space_is_refused(evaluate: SupernetQuality) -> None:
    branch = networks(1)[0].branches[0]
    longer = type(branch)((*branch.cells[:1] * SPACE.depth, *branch.cells))
    with pytest.raises(InvalidArchitecture):
        evaluate(NETWORKS.architecture((longer,)), FIDELITY)


def test_shared_statistics_are_what_one_network_sees_where_it_is_alone() -> None:
    supernet, architecture = awake_supernet(), networks(6)[3]
    batches = TrainingBatches(squares().training, SIZE, batch_size=8, seed=0)
    fixed = batches.step(0)
    shared = running_statistics(supernet, [architecture] * 150, [fixed] * 150)
    module = derive(supernet, architecture)
    shared.apply(module, architecture)
    expected = derive(supernet, architecture)
    recalibrate(expected, [fixed])
    for name, tensor in statistics(expected).items():
        torch.testing.assert_close(statistics(module)[name], tensor, rtol=1e-4, atol=1e-5)


def test_shared_statistics_average_over_networks() -> None:
    supernet, sample = awake_supernet(), networks(12)
    batches = TrainingBatches(squares().training, SIZE, batch_size=8, seed=0).starting_at(0)
    shared = SupernetQuality(supernet, squares(), SIZE, shared=running_statistics(supernet, sample, batches))
    own = SupernetQuality(supernet, squares(), SIZE)
    results = [(shared(architecture, FIDELITY), own(architecture, FIDELITY)) for architecture in sample[:3]]
    assert all(ours != theirs for ours, theirs in results)
    assert results == [(shared(architecture, FIDELITY), own(architecture, FIDELITY)) for architecture in sample[:3]]
