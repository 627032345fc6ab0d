"""Print as JSON what a tracker has stored locally; run in the environment `trackers`.

python tracker_readings.py wandb FOLDER
python tracker_readings.py trackio PROJECT
python tracker_readings.py mlflow EXPERIMENT
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BLOCK = 1 << 15
_HEAD = struct.Struct("<IHB")
"""Checksum, length and kind of a part of a record in the log format of LevelDB."""
_LAST = (1, 4)


def records(data: bytes) -> Iterator[bytes]:
    """The records of a .wandb file, after its own header of 7 bytes."""
    place, found = 7, b""
    while place + _HEAD.size <= len(data):
        if (left := _BLOCK - place % _BLOCK) < _HEAD.size:
            place += left
            continue
        _, length, kind = _HEAD.unpack_from(data, place)
        place += _HEAD.size
        found += data[place : place + length]
        place += length
        if kind in _LAST:
            yield found
            found = b""


def wandb(folder: str) -> list[dict[str, Any]]:
    from wandb.proto import wandb_internal_pb2

    runs = []
    for file in sorted(Path(folder).glob("wandb/offline-run-*/*.wandb")):
        run: dict[str, Any] = {"values": {}, "facts": {}, "all": file.read_bytes().decode("latin-1")}
        for data in records(file.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            kind = record.WhichOneof("record_type")
            if kind == "run":
                run |= {"id": record.run.run_id, "project": record.run.project, "entity": record.run.entity}
            for one in getattr(record, kind).update if kind in ("summary", "config") else ():
                run["values" if kind == "summary" else "facts"][one.key] = json.loads(one.value_json)
        runs.append(run)
    return runs


def trackio(project: str) -> list[dict[str, Any]]:
    import trackio
    from trackio.sqlite_storage import SQLiteStorage

    runs = trackio.Api().runs(project)
    return [
        {"id": one.name, "facts": one.config, "rows": SQLiteStorage.get_logs(project, one.name, run_id=one.id)}
        for one in runs
    ]


def mlflow(experiment: str) -> list[dict[str, Any]]:
    from mlflow import MlflowClient

    client = MlflowClient()
    place = client.get_experiment_by_name(experiment).experiment_id
    return [
        {
            "id": one.data.tags["rmeval_run"],
            "values": one.data.metrics,
            "facts": one.data.tags,
            "status": one.info.status,
            "history": {name: len(client.get_metric_history(one.info.run_id, name)) for name in one.data.metrics},
        }
        for one in client.search_runs([place])
    ]


if __name__ == "__main__":
    readings = {"wandb": wandb, "trackio": trackio, "mlflow": mlflow}
    sys.stdout.write("\n" + json.dumps(readings[sys.argv[1]](sys.argv[2])))
