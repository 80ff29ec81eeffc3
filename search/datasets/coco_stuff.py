"""COCO-Stuff 164k: the images of COCO 2017 in 171 classes of things and stuff.

Caesar, Uijlings, Ferrari: COCO-Stuff: Thing and Stuff Classes in Context, CVPR 2018, arXiv 1612.03716. Names are those
of ``labels.txt`` (github.com/nightrome/cocostuff). In the masks of ``stuffthingmaps_trainval2017.zip`` a class has the
number of its line there minus 1, 0 to 181, and 255 is unlabelled. 11 classes of things (``_UNUSED``; the authors name
them) have no pixel in COCO. Without them, the 171 others count from 0 to 170 in order: the train ids that are used by
mmsegmentation and others. Masks that its ``coco_stuff164k.py`` writes with these ids are taken where they are. Colours
are a rule's.
"""

from __future__ import annotations

from typing import Final

from search.datasets.class_names import names, rule_coloured
from search.datasets.dataset import IGNORE
from search.datasets.layout import Layout, MaskForm, SplitFolders
from search.datasets.mask_ids import MaskIds

_NAMES: Final = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, street sign, stop
sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, hat, backpack,
umbrella, shoe, eye glasses, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat,
baseball glove, skateboard, surfboard, tennis racket, bottle, plate, wine glass, cup, fork, knife, spoon, bowl,
banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed,
mirror, dining table, window, desk, toilet, door, tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven,
toaster, sink, refrigerator, blender, book, clock, vase, scissors, teddy bear, hair drier, toothbrush, hair brush,
banner, blanket, branch, bridge, building-other, bush, cabinet, cage, cardboard, carpet, ceiling-other, ceiling-tile,
cloth, clothes, clouds, counter, cupboard, curtain, desk-stuff, dirt, door-stuff, fence, floor-marble, floor-other,
floor-stone, floor-tile, floor-wood, flower, fog, food-other, fruit, furniture-other, grass, gravel, ground-other,
hill, house, leaves, light, mat, metal, mirror-stuff, moss, mountain, mud, napkin, net, paper, pavement, pillow,
plant-other, plastic, platform, playingfield, railing, railroad, river, road, rock, roof, rug, salad, sand, sea,
shelf, sky-other, skyscraper, snow, solid-other, stairs, stone, straw, structural-other, table, tent, textile-other,
towel, tree, vegetable, wall-brick, wall-concrete, wall-other, wall-panel, wall-stone, wall-tile, wall-wood,
water-other, waterdrops, window-blind, window-other, wood
"""
"""In the order of their numbers, 0 to 181."""
_UNUSED: Final = frozenset(
    {"street sign", "hat", "shoe", "eye glasses", "plate", "mirror", "window", "desk", "door", "blender", "hair brush"}
)
_NUMBERED: Final = tuple(enumerate(names(_NAMES)))
_USED: Final = tuple((number, name) for number, name in _NUMBERED if name not in _UNUSED)
_UNUSED_NUMBERS: Final = frozenset(number for number, name in _NUMBERED if name in _UNUSED)

COCO_STUFF: Final = Layout(
    name="coco-stuff",
    classes=rule_coloured([name for _, name in _USED]),
    training=SplitFolders("images/train2017", "annotations/train2017"),
    validation=SplitFolders("images/val2017", "annotations/val2017"),
    image_suffix=".jpg",
    masks=(
        MaskForm("_labelTrainIds.png", MaskIds(tuple(range(len(_USED))), frozenset({IGNORE}))),
        MaskForm(".png", MaskIds(tuple(number for number, _ in _USED), _UNUSED_NUMBERS | {IGNORE})),
    ),
    source=(
        "COCO-Stuff: github.com/nightrome/cocostuff; train2017.zip and val2017.zip go to images/, "
        "stuffthingmaps_trainval2017.zip to annotations/"
    ),
)
