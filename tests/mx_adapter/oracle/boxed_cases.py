"""How pictures with boxes are read: by which iterator, and its arguments. It knows neither framework."""

SHAPE = (3, 24, 28)
BATCH = 2
RECORDS = "ImageDetRecordIter"
CASES = [
    (RECORDS, {}),
    (RECORDS, {"label_pad_width": 30, "label_pad_value": -2.0, "mean_r": 10, "mean_g": 20, "mean_b": 30, "std_r": 2}),
    (RECORDS, {"resize_mode": "fit", "scale": 0.5}),
    (RECORDS, {"resize_mode": "shrink", "round_batch": False}),
    (RECORDS, {"resize": 18, "inter_method": 0, "label_name": "boxes"}),
    ("ImageDetIter", {}),
    ("ImageDetIter", {"mean": True, "std": True}),
]
