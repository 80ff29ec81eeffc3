"""The release format, both directions, and its errors."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyctas.architecture import ArchitectureDefaults
from hyctas.architecture_json import decode_architecture
from hyctas.cardinality import branches_at, cardinality
from hyctas.errors import InvalidArchitecture
from hyctas.release_format import RELEASE_OPERATORS, to_release
from hyctas.sharing import built_from
from hyctas.space import SearchSpace

RELEASED = SearchSpace(depth=20, operators=RELEASE_OPERATORS)
VALID = {
    "ops": [[1, 2, 4], [0, 3, 1]],
    "paths": [[0, 0, 0], [0, 1, 2]],
    "downs": [[0, 0, 0], [1, 1, 0]],
    "widths": [[0.3333333333333333, 0.8333333333333334], [1, 0.5]],
    "lasts": [0, 2],
}


@given(st.integers(0, cardinality(RELEASED) - 1))
def test_release_format_round_trips(number):
    architecture = ArchitectureDefaults().architecture(branches_at(RELEASED, number))
    text = json.dumps(to_release(architecture))
    assert decode_architecture(text) == architecture
    assert json.dumps(to_release(decode_architecture(text))) == text


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["HRTNET_S", "HRTNET_M", "HRTNet_L"])
def test_released_networks_round_trip(shared_data, root, name):
    text = (shared_data / "hyctas" / f"{name}.json").read_text()
    architecture = decode_architecture(text, ArchitectureDefaults(base_channels=16))
    assert to_release(architecture) == json.loads(text)
    kept = (root / "examples" / f"{name.lower()}.json").read_text()
    assert decode_architecture(kept) == architecture


def test_published_network_shares_its_trunks(root):
    architecture = decode_architecture((root / "examples" / "hrtnet_l.json").read_text())
    assert [shared.length for shared in built_from(architecture)] == [0, 8, 4]


def test_operator_without_a_number_is_refused():
    space = SearchSpace(operators=("conv_2x",))
    architecture = ArchitectureDefaults().architecture(branches_at(space, 0))
    with pytest.raises(InvalidArchitecture, match=r"conv_2x.*release format") as caught:
        to_release(architecture)
    assert caught.value.path == "$.branches[0].cells[0].op"


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("ops", 0, 1), 5, "$.ops[0][1]"),
        (("ops", 0, 1), True, "$.ops[0][1]"),
        (("ops", 0), [1, 2], "$.paths[0]"),
        (("ops",), [], "$.ops"),
        (("ops",), [[]], "$.paths"),
        (("ops", 0), [], "$.ops[0]"),
        (("ops", 0), [1] * 65, "$.ops[0]"),
        (("paths", 0, 0), 1, "$.paths[0][0]"),
        (("paths", 1, 2), 0, "$.paths[1][2]"),
        (("paths", 1, 1), 2, "$.paths[1][1]"),
        (("paths", 0, 1), 3, "$.paths[0][1]"),
        (("downs", 0, 1), 1, "$.downs[0][1]"),
        (("downs", 0, 2), 1, "$.downs[0][2]"),
        (("downs", 1, 0), 0, "$.downs[1][0]"),
        (("downs", 1, 0), 2, "$.downs[1][0]"),
        (("widths", 0), [1, 1, 1], "$.widths[0]"),
        (("widths", 0, 0), 0.4, "$.widths[0][0]"),
        (("widths", 0, 0), True, "$.widths[0][0]"),
        (("widths", 0, 0), float("nan"), "$.widths[0][0]"),
        pytest.param(("widths", 0, 0), 10**400, "$.widths[0][0]", id="huge"),
        (("lasts", 0), 1, "$.lasts[0]"),
        (("lasts",), [0], "$.lasts"),
        (("lasts",), 0, "$.lasts"),
        (("version",), 1, "$.version"),
    ],
)
def test_error_names_the_place(path, value, where):
    document = copy.deepcopy(VALID)
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    with pytest.raises(InvalidArchitecture) as caught:
        decode_architecture(document)
    assert caught.value.path == where


@pytest.mark.parametrize("name", ["paths", "downs", "widths", "lasts"])
def test_missing_list_is_named(name):
    with pytest.raises(InvalidArchitecture) as caught:
        decode_architecture({key: value for key, value in VALID.items() if key != name})
    assert caught.value.path == f"$.{name}"


def test_two_branches_that_end_at_one_scale_are_refused():
    document = {name: [lists[0], lists[0]] for name, lists in VALID.items()}
    with pytest.raises(InvalidArchitecture, match="different scales"):
        decode_architecture(document)
