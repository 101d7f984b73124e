"""A detector of two stages over a pyramid of features, in the form in which GluonCV exports Faster R-CNN."""

CLASSES, PROPOSALS = 3, 24
HEIGHT, WIDTH = 96, 128


def rcnn(mx):
    """Returns the symbol, whose input is ``data`` (1, 3, 96, 128). Its first stage chooses among 7680 boxes."""
    sym = mx.sym
    levels, rows = features(sym), []
    for number, level in enumerate(levels):
        rows.append(proposals(sym, number, level))
    chosen = sym.contrib.box_nms(
        sym.concat(*rows, dim=1), overlap_thresh=0.7, topk=200, coord_start=1, score_index=0, force_suppress=True
    )
    boxes = sym.slice_axis(sym.slice_axis(chosen, axis=1, begin=0, end=PROPOSALS), axis=-1, begin=1, end=None)
    picture = sym.repeat(sym.arange(0, 1), repeats=PROPOSALS)
    regions = sym.concat(picture.reshape((-1, 1)), boxes.reshape((-1, 4)), dim=-1)
    return second_stage(sym, pooled(sym, levels, regions), boxes)


def features(sym):
    fine = sym.Convolution(sym.var("data"), kernel=(3, 3), stride=(2, 2), pad=(1, 1), num_filter=6, name="fine")
    fine = sym.Activation(fine, act_type="relu")
    coarse = sym.Convolution(fine, kernel=(3, 3), stride=(2, 2), pad=(1, 1), num_filter=8, name="coarse")
    coarse = sym.Convolution(sym.Activation(coarse, act_type="relu"), kernel=(1, 1), num_filter=8, name="top")
    beside = sym.Convolution(fine, kernel=(1, 1), num_filter=8, name="beside")
    larger = sym.slice_like(sym.UpSampling(coarse, scale=2, sample_type="nearest"), beside, axes=(2, 3))
    return [beside + larger, coarse]


def proposals(sym, number, level):
    """Rows of score and box; a box that is too small for a region has -1 for all."""
    score = sym.Convolution(level, kernel=(1, 1), num_filter=2, name=f"score{number}")
    moves = sym.Convolution(level, kernel=(1, 1), num_filter=8, name=f"moves{number}")
    score = sym.sigmoid(score.transpose((0, 2, 3, 1)).reshape((0, -1, 1)))
    moves = moves.transpose((0, 2, 3, 1)).reshape((0, -1, 4))
    sizes = (0.1 + 0.2 * number, 0.2 + 0.2 * number)
    anchors = sym.contrib.MultiBoxPrior(level, sizes=sizes, ratios=(1.0,)) * 128.0
    boxes = sym.contrib.box_decode(moves, anchors, std0=0.5, std1=0.5, std2=0.5, std3=0.5, clip=4.0, format="corner")
    low_x, low_y, high_x, high_y = sym.clip(boxes, 0, WIDTH - 1).split(axis=-1, num_outputs=4)
    small = (high_x - low_x < 8) + (high_y - low_y < 8)
    boxes = sym.concat(low_x, low_y, high_x, high_y, dim=-1)
    score = sym.where(small, sym.ones_like(small) * -1, score)
    small = sym.broadcast_axis(small, axis=2, size=4)
    return sym.concat(score, sym.where(small, sym.ones_like(small) * -1, boxes), dim=-1)


def pooled(sym, levels, regions):
    """The features of each region at its own level. GluonCV moves the regions of others out of the picture, of which
    MXNet 1.9.1 leaves what was in memory on a CPU; here they are cleared afterwards."""
    _picture, low_x, low_y, high_x, high_y = sym.split(regions, axis=-1, num_outputs=5)
    area = (high_x - low_x + 1) * (high_y - low_y + 1)
    of_region = sym.squeeze(sym.clip(sym.floor(1 + sym.log2(sym.sqrt(area) / 48 + 1e-6)), 0, 1))
    parts = []
    for number, level in enumerate(levels):
        part = sym.contrib.ROIAlign(level, regions, (5, 5), 0.5 / (1 + number), sample_ratio=2)
        parts.append(sym.where(of_region == number, part, sym.zeros_like(part)))
    return sym.ElementWiseSum(*parts)


def second_stage(sym, part, boxes):
    head = sym.Activation(sym.FullyConnected(part, num_hidden=16, name="head"), act_type="relu")
    scores = sym.softmax(sym.FullyConnected(head, num_hidden=CLASSES + 1, name="classes") * 8)
    scores = sym.slice_axis(scores, axis=-1, begin=1, end=None).transpose((1, 0)).reshape((CLASSES, -1, 1))
    moves = sym.FullyConnected(head, num_hidden=CLASSES * 4, name="moves")
    moves = moves.reshape((-1, CLASSES, 4)).transpose((1, 0, 2))
    decoded = sym.contrib.box_decode(moves, boxes, std0=0.1, std1=0.1, std2=0.2, std3=0.2, format="corner")
    ids = sym.broadcast_add(sym.arange(0, CLASSES).reshape((-1, 1, 1)), sym.zeros_like(scores))
    return sym.contrib.box_nms(
        sym.concat(ids, scores, decoded, dim=-1), overlap_thresh=0.4, topk=12, valid_thresh=0.05, id_index=0
    )
