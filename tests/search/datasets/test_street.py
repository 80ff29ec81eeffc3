"""The camera's geometry, what hides what, and textures."""

from __future__ import annotations

import numpy as np
import pytest

from search.datasets.street.camera import Camera
from search.datasets.street.classes import BUILDING, CAR, POLE, SKY
from search.datasets.street.noise import TILE, sample, tile
from search.datasets.street.palette import PAINTS, picked, several
from search.datasets.street.picture import Picture, facing, flanking

CAMERA = Camera(height=60, width=100, horizon=25.0, vanishing=40.0, focal=50.0, altitude_m=1.5)


def drawn_box(picture: Picture, label: int) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(picture.labels == label)
    return int(rows.min()), int(rows.max()), int(columns.min()), int(columns.max())


def test_camera_maps_back_what_it_maps() -> None:
    rows, columns = CAMERA.rows[30:], CAMERA.columns
    depth = CAMERA.ground_depth(rows)
    np.testing.assert_allclose(CAMERA.altitude(rows, depth), 0, atol=1e-5)
    assert CAMERA.row(0.0, float(depth[3, 0])) == pytest.approx(float(rows[3, 0]))
    across = CAMERA.across(columns, 7.0)
    assert CAMERA.column(float(across[0, 9]), 7.0) == pytest.approx(float(columns[0, 9]), abs=1e-4)
    side = CAMERA.side_depth(columns[:, 60:], 3.0)
    np.testing.assert_allclose(CAMERA.across(columns[:, 60:], side), 3.0, rtol=1e-5)


def test_plane_beside_the_camera_is_not_seen_on_the_other_side() -> None:
    assert (CAMERA.side_depth(CAMERA.columns[:, :40], 3.0) > 1e6).all()
    assert (CAMERA.side_depth(CAMERA.columns[:, 41:], -3.0) > 1e6).all()


def test_rectangle_covers_the_pixels_that_geometry_says() -> None:
    """2 m wide, 1.5 m high at 5 m depth: 20 x 15 pixels, its foot 15 rows below the horizon."""
    patch = facing(CAMERA, across_m=1.0, depth_m=5.0, width_m=2.0, height_m=1.5)
    assert patch is not None
    assert patch.box == (slice(25, 40), slice(40, 60))
    assert float(patch.u[0, 0]) == pytest.approx(0.025)
    assert float(patch.v[-1, 0]) == pytest.approx(1 - 0.5 / 15)


def test_thin_things_stay_at_least_a_pixel_wide() -> None:
    patch = facing(CAMERA, across_m=0.0, depth_m=50.0, width_m=0.1, height_m=5.0)
    assert patch is not None
    assert patch.u.shape == (1, 1)


@pytest.mark.parametrize(("across_m", "depth_m"), [(30.0, 5.0), (-30.0, 5.0)])
def test_rectangle_out_of_view_is_none(across_m: float, depth_m: float) -> None:
    assert facing(CAMERA, across_m=across_m, depth_m=depth_m, width_m=2.0, height_m=1.5) is None
    assert flanking(CAMERA, across_m=across_m, nearest_m=5.0, farthest_m=9.0, height_m=1.5) is None


def test_flank_recedes_along_the_street() -> None:
    patch = flanking(CAMERA, across_m=2.0, nearest_m=5.0, farthest_m=10.0, height_m=1.5)
    assert patch is not None
    assert patch.box[1] == slice(50, 60)
    assert (np.diff(patch.u[0]) < 0).all()
    assert float(patch.u.min()) == pytest.approx(0.0, abs=0.05)
    assert float(patch.u.max()) == pytest.approx(1.0, abs=0.1)


def test_nearer_things_hide_farther_ones_in_any_order() -> None:
    pictures = []
    for order in ((POLE, CAR, BUILDING), (BUILDING, POLE, CAR)):
        picture = Picture.empty(CAMERA)
        for label in order:
            depth_m = {POLE: 4.0, CAR: 6.0, BUILDING: 30.0}[label]
            patch = facing(CAMERA, across_m=0.0, depth_m=depth_m, width_m=depth_m / 5, height_m=2.0)
            assert patch is not None
            mask = np.ones((patch.v.size, patch.u.size), np.bool_)
            picture.put(patch.box, mask, np.full(3, label / 9, np.float32), label, depth_m)
        pictures.append(picture)
    np.testing.assert_array_equal(pictures[0].labels, pictures[1].labels)
    np.testing.assert_array_equal(pictures[0].colour, pictures[1].colour)
    assert drawn_box(pictures[0], POLE) == (19, 43, 35, 44)
    assert pictures[0].labels[0, 0] == SKY
    assert pictures[0].depth_m[30, 40] == 4.0


def test_texture_spans_0_to_1_and_repeats() -> None:
    field = tile(np.random.default_rng(0))
    assert (field.min(), field.max(), field.dtype) == (0.0, 1.0, np.float32)
    rows, columns = np.array([[3.7], [-2.0]], np.float32), np.array([[5.0, 130.2]], np.float32)
    np.testing.assert_array_equal(sample(field, rows, columns), sample(field, rows + TILE, columns - TILE))
    assert sample(field, rows, columns)[0, 1] == field[3, 2]


def test_texture_is_smooth() -> None:
    """Neighbours, those across the edge included, differ less than strangers."""
    field = tile(np.random.default_rng(1))
    assert np.abs(field - np.roll(field, 1, 0)).mean() < 0.5 * np.abs(field - np.roll(field, 40, 0)).mean()
    assert np.abs(field[0] - field[-1]).mean() < 0.5 * np.abs(field - np.roll(field, 40, 0)).mean()


def test_colours_vary_about_those_of_a_table() -> None:
    colours = several(np.random.default_rng(0), PAINTS, 500)
    distance = np.abs(colours[:, None] - PAINTS).mean(2).min(1)
    assert colours.min() >= 0.02
    assert colours.max() <= 0.98
    assert 0.01 < distance.mean() < 0.1
    assert picked(np.random.default_rng(0), PAINTS).shape == (3,)
