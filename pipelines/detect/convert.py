"""Makes a YOLO checkpoint folder from ultralytics' .pt file: `python -m pipelines.detect.convert best.pt FOLDER`.

A .pt file is a pickle, which can run code when it is loaded. This reads it with torch's restricted unpickler, which
builds the classes that ultralytics lists and nothing else; the folder that comes out holds numbers and names only.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import save_model

from pipelines.core.errors import CheckpointError, SuiteError
from pipelines.core.submission.writing import write_whole
from pipelines.core.terminal import settle
from pipelines.detect.models.yolo import MODEL_TYPE, architecture_of, ultralytics_module


def convert(weights: Path, folder: Path) -> None:
    """Writes config.json and model.safetensors (float32) of a detecting YOLO.

    Raises CheckpointError for a file that cannot be read so, or whose architecture does not ship with ultralytics.
    """
    if not weights.is_file():
        raise CheckpointError(f"expected an ultralytics .pt file at {weights}, found nothing")
    tasks = ultralytics_module("ultralytics.nn.tasks")
    if not tasks._SafeLoad.SUPPORTED:
        raise CheckpointError("expected a torch that can read a .pt without running it (2.6 or newer); update it")
    try:
        loaded, _ = tasks.torch_safe_load(weights, safe_only=True)
        network = (loaded.get("ema") or loaded["model"]).float()
        architecture = re.sub(r"\.yaml$", "", Path(network.yaml["yaml_file"]).name)
        names = [str(network.names[number]) for number in range(len(network.names))]
        side = int(network.args["imgsz"]) if isinstance(getattr(network, "args", None), dict) else 640
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(
            f"expected an ultralytics checkpoint in {weights}, but it does not load: {reason}"
        ) from None
    architecture_of(architecture)
    settings = {"model_type": MODEL_TYPE, "architecture": architecture, "image_size": side, "names": names}
    write_whole(folder / "config.json", json.dumps(settings, ensure_ascii=False, indent=2) + "\n")
    save_model(network, str(folder / "model.safetensors"))


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code is 0, or 2 with one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.detect.convert", description=__doc__)
    parser.add_argument("weights", type=Path, help="the .pt file of a YOLO that detects")
    parser.add_argument("folder", type=Path, help="the checkpoint folder to make")
    given = parser.parse_args(arguments)
    try:
        convert(given.weights, given.folder)
    except SuiteError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{given.folder}: made from {given.weights}")
    return 0


if __name__ == "__main__":
    settle()
    sys.exit(main())
