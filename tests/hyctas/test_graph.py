"""Builder, shape inference, costs and workload keys on small graphs with known answers."""

import pytest

from hyctas.builder import GraphBuilder
from hyctas.costs import costs, peak_activation_bytes
from hyctas.errors import GraphError, UnsupportedNode
from hyctas.graph import Graph, Value
from hyctas.layers import add, average_pool, concat, conv, relu, resize
from hyctas.workload import Workload, workload_key


def small(*, channels: int = 8, prefix: str = "", swap: bool = False) -> Graph:
    """Two independent convolutions of one input, added."""
    b = GraphBuilder("small")
    x = b.input(f"{prefix}x", (1, 4, 6, 6))

    def left() -> Value:
        return conv(b, x, channels, kernel=3, name=f"{prefix}left")

    def right() -> Value:
        return conv(b, x, channels, kernel=1, name=f"{prefix}right")

    one, two = (right(), left())[::-1] if swap else (left(), right())
    return b.build(add(b, one, two))


def test_conv_macs_and_parameters_are_counted() -> None:
    found = costs(small())
    assert found.macs == found.conv_macs == 6 * 6 * 8 * 4 * (9 + 1)
    assert found.parameters == 8 * 4 * (9 + 1)


def test_matmul_macs_are_counted_apart_from_convolutions() -> None:
    b = GraphBuilder("products")
    left = b.input("left", (1, 2, 5, 3))
    right = b.input("right", (1, 2, 5, 7))
    product = b.append("matmul", [left, right], {"transpose_left": 1, "transpose_right": 0})
    found = costs(b.build(product))
    assert product.shape == (1, 2, 3, 7)
    assert (found.macs, found.conv_macs) == (2 * 3 * 7 * 5, 0)


def test_bytes_moved_are_inputs_outputs_and_parameters() -> None:
    b = GraphBuilder("one")
    graph = b.build(conv(b, b.input("x", (1, 2, 4, 4)), 3, bias=True, name="conv"))
    assert costs(graph).bytes_moved == 4 * (2 * 16 + 3 * 16 + 3 * 2 + 3)


def test_peak_activation_counts_what_lives_together() -> None:
    b = GraphBuilder("residual")
    x = b.input("x", (1, 1, 10, 10))
    inner = relu(b, relu(b, x))
    graph = b.build(add(b, inner, x))
    assert peak_activation_bytes(graph) == 3 * 400


def test_key_ignores_names_and_the_order_of_independent_nodes() -> None:
    assert workload_key(small()) == workload_key(small(prefix="other_")) == workload_key(small(swap=True))


def test_key_depends_on_sizes_and_attributes() -> None:
    keys = {workload_key(small()), workload_key(small(channels=9))}
    b = GraphBuilder("resized")
    x = b.input("x", (1, 4, 6, 6))
    keys |= {workload_key(b.build(resize(b, x, (size, size)))) for size in (3, 12)}
    assert len(keys) == 4


def test_key_depends_on_aligned_corners_only_where_they_are() -> None:
    def resized(*, align_corners: bool) -> Graph:
        b = GraphBuilder("resized")
        return b.build(resize(b, b.input("x", (1, 4, 6, 6)), (12, 12), align_corners=align_corners))

    assert workload_key(resized(align_corners=True)) != workload_key(resized(align_corners=False))
    assert not resized(align_corners=False).nodes[0].has("align_corners")


def test_resize_takes_no_other_value_of_aligned_corners() -> None:
    b = GraphBuilder("resized")
    with pytest.raises(GraphError, match="'align_corners' is 0; expected 1"):
        b.append("resize", [b.input("x", (1, 4, 6, 6))], {"size": (3, 3), "align_corners": 0})


def test_key_keeps_twins_apart_from_one_node_read_twice() -> None:
    b = GraphBuilder("twice")
    x = b.input("x", (1, 4, 6, 6))
    once = conv(b, x, 4, name="conv")
    read_twice = b.build(add(b, once, once))
    b = GraphBuilder("twins")
    x = b.input("x", (1, 4, 6, 6))
    twins = b.build(add(b, conv(b, x, 4, name="a"), conv(b, x, 4, name="b")))
    assert Workload(read_twice).key != Workload(twins).key


def test_key_is_stable_across_versions() -> None:
    assert workload_key(small()) == "7563373fb64f6424bb9c083f4a478a7a66143d9abaad6564b9efad0ff857da18"


def test_concatenation_carries_the_layout_of_its_parts() -> None:
    b = GraphBuilder("layout")
    x = b.input("x", (1, 4, 6, 6))
    joined = relu(b, concat(b, conv(b, x, 3, name="a"), x, conv(b, x, 5, name="b")))
    assert joined.layout == (3, 4, 5)
    assert conv(b, joined, 7, name="c").layout == (7,)


def test_names_are_unique_and_scoped() -> None:
    b = GraphBuilder("names")
    x = b.input("x", (1, 4, 6, 6))
    with b.place("head"):
        first, second = relu(b, x), relu(b, x)
    graph = b.build(add(b, first, second))
    assert [node.name for node in graph.nodes] == ["head.relu", "head.relu_1", "add"]
    assert [node.place for node in graph.nodes] == ["head", "head", ""]


def test_ragged_pooling_rounds_up() -> None:
    b = GraphBuilder("pool")
    assert average_pool(b, b.input("x", (1, 4, 5, 7)), 2).shape == (1, 4, 3, 4)


def test_shapes_that_do_not_fit_name_the_node() -> None:
    b = GraphBuilder("wrong")
    x, y = b.input("x", (1, 4, 6, 6)), b.input("y", (1, 4, 6, 5))
    with b.place("fusion"), pytest.raises(GraphError, match=r"node fusion\.add: shapes .* do not match"):
        add(b, x, y)
    with pytest.raises(GraphError, match="node concat: cannot concatenate"):
        concat(b, x, y)


def test_unknown_primitive_lists_the_known_ones() -> None:
    b = GraphBuilder("unknown")
    with pytest.raises(UnsupportedNode, match="unknown primitive 'lstm'; known: conv, batch_norm"):
        b.append("lstm", [b.input("x", (1, 4, 6, 6))])


def test_missing_attribute_says_what_the_node_has() -> None:
    node = small().nodes[0]
    with pytest.raises(GraphError, match="has no attribute 'dilation'"):
        node.attribute("dilation")


def test_graph_without_output_is_refused() -> None:
    with pytest.raises(GraphError, match="has no output"):
        GraphBuilder("empty").build()
