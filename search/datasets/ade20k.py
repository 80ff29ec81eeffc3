"""ADE20K as of the scene parsing challenge of 2016: scenes of many kinds and sizes in 150 classes.

Zhou et al.: Scene Parsing through ADE20K Dataset, CVPR 2017. Numbers and names are those of ``objectInfo150.txt`` of
the challenge (github.com/CSAILVision/sceneparsing; the first of each row of synonyms), where 0 is "other objects" and
is not scored. Colours are a rule's.
"""

from __future__ import annotations

from typing import Final

from search.datasets.class_names import names, rule_coloured
from search.datasets.layout import Layout, MaskForm, SplitFolders
from search.datasets.mask_ids import MaskIds

_NAMES: Final = """
wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk, person, earth, door,
table, mountain, plant, curtain, chair, car, water, painting, sofa, shelf, house, sea, mirror, rug, field, armchair,
seat, fence, desk, rock, wardrobe, lamp, bathtub, railing, cushion, base, box, column, signboard, chest of drawers,
counter, sand, sink, skyscraper, fireplace, refrigerator, grandstand, path, stairs, runway, case, pool table, pillow,
screen door, stairway, river, bridge, bookcase, blind, coffee table, toilet, flower, book, hill, bench, countertop,
stove, palm, kitchen island, computer, swivel chair, boat, bar, arcade machine, hovel, bus, towel, light, truck,
tower, chandelier, awning, streetlight, booth, television receiver, airplane, dirt track, apparel, pole, land,
bannister, escalator, ottoman, bottle, buffet, poster, stage, van, ship, fountain, conveyer belt, canopy, washer,
plaything, swimming pool, stool, barrel, basket, waterfall, tent, bag, minibike, cradle, oven, ball, food, step, tank,
trade name, microwave, pot, animal, bicycle, lake, dishwasher, screen, blanket, sculpture, hood, sconce, vase, traffic
light, tray, ashcan, fan, pier, crt screen, plate, monitor, bulletin board, shower, radiator, glass, clock, flag
"""
"""In the order of their numbers, 1 to 150."""

ADE20K: Final = Layout(
    name="ade20k",
    classes=rule_coloured(names(_NAMES)),
    training=SplitFolders("images/training", "annotations/training"),
    validation=SplitFolders("images/validation", "annotations/validation"),
    image_suffix=".jpg",
    masks=(MaskForm(".png", MaskIds(numbers=tuple(range(1, 151)), ignored=frozenset({0}))),),
    source="ADE20K: sceneparsing.csail.mit.edu, ADEChallengeData2016.zip; DIR is its folder ADEChallengeData2016",
)
