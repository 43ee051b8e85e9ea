"""Features as Parquet: one row for each second of each video, for data frames and query engines."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.common.files import replacing

if TYPE_CHECKING:
    import pyarrow as pa

    from mafnet.features.video_features import VideoFeatures


def require_parquet() -> None:
    """MafnetError if the package that writes Parquet is not installed."""
    if find_spec("pyarrow") is None:
        raise MafnetError("pyarrow is not installed; run pip install 'mafnet[parquet]'")


def write_parquet(found: "VideoFeatures", path: Path) -> None:
    """Write the columns `video`, `time`, and for each modality its values and `NAME_valid`.

    And `NAME_scores`, if there are scores of classes, whose names are in `classes`.

    The values of a second are a list of float32, because many readers have no float16; a map is
    flattened from (P, Q, C). The metadata of the schema has JSON texts: `failed`, `fingerprints`,
    `classes`, and `shapes`, the shape of one second by modality.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(found)
    with replacing(path) as beside, pq.ParquetWriter(beside, schema) as writer:
        for row, video in enumerate(found.videos):
            columns = {"video": [_text(video)] * len(found.times), "time": found.times}
            for name, values in found.features.items():
                flat = values[row].astype(np.float32).ravel()
                columns[name] = pa.FixedSizeListArray.from_arrays(flat, _size(values))
                columns[f"{name}_valid"] = found.valid[name][row]
            for name, scores in found.scores.items():
                flat = scores[row].ravel()
                columns[f"{name}_scores"] = pa.FixedSizeListArray.from_arrays(flat, _size(scores))
            writer.write_table(pa.table(columns, schema))


def _schema(found: "VideoFeatures") -> "pa.Schema":
    import pyarrow as pa

    fields = [("video", pa.string()), ("time", pa.float64())]
    for name, values in found.features.items():
        fields += [(name, pa.list_(pa.float32(), _size(values))), (f"{name}_valid", pa.bool_())]
    for name, scores in found.scores.items():
        fields.append((f"{name}_scores", pa.list_(pa.float32(), _size(scores))))
    failed = [{"video": _text(each.video), "status": each.status, "error": _text(each.error)}
              for each in found.failed]  # fmt: skip
    about = {
        "failed": failed,
        "fingerprints": found.fingerprints,
        "classes": found.classes,
        "shapes": {name: values.shape[2:] for name, values in found.features.items()},
    }
    return pa.schema(fields, {name: json.dumps(value) for name, value in about.items()})


def _size(values: np.ndarray) -> int:
    """Numbers of one second."""
    return int(np.prod(values.shape[2:]))


def _text(name: str) -> str:
    """A name as Unicode text; bytes that are none become "?"."""
    return name.encode("utf-8", "replace").decode()
