"""The methods of anomaly detection by name."""

from typing import TYPE_CHECKING

from pipelines.core.model import AUTO, Model, method_of, named

if TYPE_CHECKING:  # they import torch
    from pipelines.anomaly.methods import Method
    from pipelines.anomaly.models.features.backbone import Backbone
    from pipelines.anomaly.models.padim import Padim
    from pipelines.anomaly.models.patchcore.model import PatchCore
    from pipelines.anomaly.settings import FitConfig


def _patchcore() -> "type[PatchCore]":
    from pipelines.anomaly.models.patchcore.model import PatchCore

    return PatchCore


def _padim() -> "type[Padim]":
    from pipelines.anomaly.models.padim import Padim

    return Padim


METHODS: "dict[str, Model[Method]]" = {
    "patchcore": Model(
        _patchcore,
        "how far a patch lies from those of normal photos",
        dtypes=frozenset({"fp32", "fp16"}),
        tiny="tests.anomaly.tiny:resnet",
    ),
    "padim": Model(
        _padim,
        "how unlikely a patch is in its place, where the object always lies in the same one",
        dtypes=frozenset({"fp32", "fp16"}),
        tiny="tests.anomaly.tiny:resnet",
    ),
}
"""Methods on the features of any timm network, and no networks themselves: no checkpoint asks for one of them, and
`auto` is the first. Each class takes the settings of a fit and a backbone, whose dtypes these are."""


def method_named(name: str) -> str:
    """The method that a name of the settings means: for `auto` the first. Raises ConfigError for an unknown name."""
    if name == AUTO:
        return str(method_of(METHODS))
    named(METHODS, name)
    return name


def load_method(name: str, settings: "FitConfig", backbone: "Backbone") -> "Method":
    """The method called `name`. Raises ConfigError, listing the names, for any other."""
    return METHODS[method_named(name)].load()(settings, backbone)
