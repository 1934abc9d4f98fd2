"""The methods of anomaly detection by name."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipelines.core.errors import ConfigError

if TYPE_CHECKING:
    from pipelines.anomaly.methods import Method
    from pipelines.anomaly.models.features.backbone import Backbone
    from pipelines.anomaly.settings import FitConfig


def _patchcore(settings: "FitConfig", backbone: "Backbone") -> "Method":
    from pipelines.anomaly.models.patchcore.model import PatchCore

    return PatchCore(settings, backbone)


def _padim(settings: "FitConfig", backbone: "Backbone") -> "Method":
    from pipelines.anomaly.models.padim import Padim

    return Padim(settings, backbone)


METHODS: dict[str, Callable[["FitConfig", "Backbone"], "Method"]] = {"patchcore": _patchcore, "padim": _padim}
"""By the name that the settings know them by."""


def load_method(name: str, settings: "FitConfig", backbone: "Backbone") -> "Method":
    """The method called `name`. Raises ConfigError, listing the names, for any other."""
    if name not in METHODS:
        raise ConfigError(f"expected a model among {', '.join(METHODS)}, found {name!r}")
    return METHODS[name](settings, backbone)
