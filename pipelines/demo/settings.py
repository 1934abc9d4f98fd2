"""The settings of the demo; reading them imports no model library, so that the first page is there at once."""

import os
from pathlib import Path

from pipelines.core.config import load_config, schema
from pipelines.core.errors import ConfigError

PROFILES = {
    "mini": Path("configs/mini/demo.yaml"),
    "base": Path("configs/demo.yaml"),
    "gpu": Path("configs/gpu/demo.yaml"),
}


@schema
class LimitsConfig:
    """What a visitor may upload at once."""

    files: int = 100
    """Pictures (1 or more)."""
    megabytes: int = 20
    """Of a picture's file (1 or more); the server refuses files beyond its own `maxUploadSize` before."""
    megapixels: int = 50
    """Of a picture (1 or more)."""

    def __post_init__(self) -> None:
        if min(self.files, self.megabytes, self.megapixels) < 1:
            raise ValueError("files, megabytes and megapixels are at least 1")


@schema
class DemoConfig:
    """The settings of the demo."""

    caption: Path
    """Settings file of the caption task; the data of it and of the others are not used."""
    detect: Path
    """Settings file of the detect task."""
    anomaly: Path
    """Settings file of anomaly detection."""
    search: Path
    """Settings file of photo search."""
    samples: Path = Path("samples")
    """Folder of the pictures that each page begins with, a folder a task."""
    fitted: Path = Path("models/fitted")
    """Folder of the fitted anomaly models, a folder each."""
    submissions: Path = Path("submissions")
    """Folder of the submissions whose runs are shown."""
    local: bool = True
    """Whether visitors may name folders of the computer that this runs on."""
    limits: LimitsConfig = LimitsConfig()


def demo_config() -> DemoConfig:
    """The settings of the profile that the environment names in PROFILE: `mini` unless it is given.

    DEMO_CONFIG names a settings file in place of the profile's. `SUITE_PUBLIC=1` says that strangers visit, whatever
    the file says of `local`. Raises ConfigError.
    """
    profile = os.environ.get("PROFILE", "mini")
    if profile not in PROFILES:
        raise ConfigError(f"expected a PROFILE among {', '.join(PROFILES)}, found {profile!r}")
    path = Path(os.environ.get("DEMO_CONFIG") or PROFILES[profile])
    public = {"local": False} if os.environ.get("SUITE_PUBLIC") == "1" else {}
    return load_config(path, DemoConfig, public)
