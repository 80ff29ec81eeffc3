"""Parameters and convolution MACs of the released networks, to the unit and part by part.

The figures are those of the public HyCTAS release (arXiv 2403.10413): F = 16, 256x512, 19 classes, s4 head.
"""

from pathlib import Path

import pytest

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.architecture_json import decode_architecture
from hyctas.costs import costs, node_macs
from hyctas.graph import Graph
from hyctas.lowering import lower

EXAMPLES = Path(__file__).parents[2] / "examples"
SETTINGS = ArchitectureDefaults(height=256, width=512, base_channels=16, attention="released")

TOTALS = {  # parameters, convolution MACs, parameters in training form
    "hrtnet_s": (13417510, 6550723264, 19793166),
    "hrtnet_l": (43741239, 23310663680, 50204191),
}
PARTS = {  # place prefix: parameters, convolution MACs
    "hrtnet_s": {
        "stem.": (518976, 2472542208),
        "branches[": (10869970, 747215552),
        "fusion.branches[": (1394560, 1039794176),
        "fusion.ffm": (49920, 33587200),
        "head.head_attention": (54177, 77594624),
        "head.lateral": (6240, 50331648),
        "head.conv_2x_downup": (373504, 901775360),
        "head.conv": (147712, 1207959552),
        "head.classifier": (2451, 19922944),
    },
    "hrtnet_l": {
        "stem.": (518976, 2472542208),
        "branches[": (38823011, 12289310720),
        "fusion.branches[": (1968128, 1862270976),
        "fusion.ffm": (444672, 302284800),
        "head.head_attention": (482017, 698351616),
        "head.lateral": (6240, 50331648),
        "head.conv_2x_downup": (1162368, 2887778304),
        "head.conv": (332160, 2717908992),
        "head.classifier": (3667, 29884416),
    },
}


def released(name: str) -> Architecture:
    return SETTINGS.architecture(decode_architecture((EXAMPLES / f"{name}.json").read_bytes()).branches)


def cost_by_place(graph: Graph, prefixes: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    totals = dict.fromkeys(prefixes, (0, 0))
    for node in graph.nodes:
        exact = [prefix for prefix in prefixes if node.place == prefix]
        prefix = exact[0] if exact else next(prefix for prefix in prefixes if node.place.startswith(prefix))
        parameters = sum(parameter.elements for parameter in node.parameters if parameter.trainable)
        macs = node_macs(graph, node) if node.op == "conv" else 0
        totals[prefix] = (totals[prefix][0] + parameters, totals[prefix][1] + macs)
    return totals


@pytest.mark.parametrize("name", TOTALS)
def test_released_network_has_published_size(name: str) -> None:
    parameters, conv_macs, training_parameters = TOTALS[name]
    found = costs(lower(released(name)))
    assert (found.parameters, found.conv_macs) == (parameters, conv_macs)
    assert costs(lower(released(name), training=True)).parameters == training_parameters


@pytest.mark.parametrize("name", PARTS)
def test_released_network_has_published_size_part_by_part(name: str) -> None:
    assert cost_by_place(lower(released(name)), tuple(PARTS[name])) == PARTS[name]


def test_shared_prefixes_of_hrtnet_l_leave_48_of_60_cells() -> None:
    network = released("hrtnet_l")
    cells = {node.place for node in lower(network).nodes if node.place.startswith("branches[")}
    assert sum(len(branch.cells) for branch in network.branches) == 60
    assert len(cells) == 48
