"""Anomaly detection from normal images: fits on them, sets a threshold on them, scores the others."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from pipelines.anomaly.fitted import facts, fitted_backbone, fitted_method, load_fitted, save_fitted
from pipelines.anomaly.maps.files import map_name, write_map
from pipelines.anomaly.maps.heatmap import heatmap_name, smooth, write_heatmap
from pipelines.anomaly.models import load_method, method_named
from pipelines.anomaly.models.detector import Anomaly, AnomalyDetector, Fitted, PatchExtractor
from pipelines.anomaly.models.features.backbone import load_backbone, settle
from pipelines.anomaly.settings import AnomalyConfig, fields, folders
from pipelines.anomaly.threshold import check_rate, of_quantile, of_rate, out_of_fold, p_value, split
from pipelines.core.errors import ConfigError, InputError, StoppedError
from pipelines.core.extras import Extras
from pipelines.core.images.names import file_names, own_name
from pipelines.core.images.samples import Sample
from pipelines.core.model import AUTO
from pipelines.core.networks.checkpoints import origin, resolve
from pipelines.core.running.batch_model import Outcome
from pipelines.core.running.runner import Runner
from pipelines.core.running.unfinished import files_state
from pipelines.core.submission.schema import Row
from pipelines.core.submission.writing import check_writable

SHOWN = 3  # unreadable normal images that are named on the terminal; the run record has them all


class AnomalyPipeline:
    """Fits on the normal images when first called, unless a fitted model is given; then scores."""

    results: Sequence[type] = (Anomaly,)

    def __init__(self, config: AnomalyConfig, runner: Runner) -> None:
        of_fitted = fitted_method(config.fitted) if config.fitted and config.model == AUTO else config.model
        self.config = config = replace(config, model=method_named(of_fitted))
        self.runner = runner
        self.fields = fields(config)
        self.folders = folders(config)
        self.checkpoint, options = self._checkpoint(), config.backbone_options
        reading = runner.load(partial(
            settle, self.checkpoint, config.backbone, strides=config.strides, out_indices=config.out_indices,
            size_hw=config.size_hw, options=options, fitted=fitted_backbone(config.fitted) if config.fitted else None,
        ))  # fmt: skip
        self.backbone = runner.load(partial(
            load_backbone, self.checkpoint, config.backbone, reading=reading, mean=config.mean, std=config.std,
            options=options,
        ))  # fmt: skip
        self.fitted: dict[str, Fitted] = {}
        if config.fitted:
            self.method, self.fitted = load_fitted(config.fitted, config.model, self.backbone, runner.device)
        else:
            self.method = load_method(config.model, config.fit, self.backbone)
        self._check_threshold()
        for folder in (config.save_fitted, config.save_images, config.save_maps):
            if folder:
                check_writable(folder / "any")
        self.extractor = PatchExtractor(self.backbone, self.method)
        self.unreadable: dict[str, str] = {}
        self.scores: dict[str, float] = {}
        self.p_values: dict[str, float] = {}
        self.map_names: dict[str, str] = {}
        self.heatmap_names: dict[str, str] = {}
        self.extras = Extras()

    def __call__(self, samples: Sequence[Sample]) -> Iterator[Outcome[Sample, Anomaly]]:
        """One Outcome per sample, in order; heatmaps and maps are written as they come."""
        names = [self._name(sample) for sample in samples]
        self.map_names, self.heatmap_names = file_names(names, map_name), file_names(names, heatmap_name)
        if not self.fitted:
            self.fit()
        detector = AnomalyDetector(self.extractor, self.fitted, self.folders.category)
        for outcome in self.runner.run(detector, samples, "score"):
            if outcome.result is not None:
                self._keep(outcome.item, outcome.result)
            yield outcome

    def fit(self) -> None:
        """Fits every category and keeps it where `save_fitted` says.

        Raises InputError for too few normal images, StoppedError where the run has to stop before the end.
        """
        self.fitted = {
            category: self._fit_or_resume(category, paths) for category, paths in self.folders.normals.items()
        }
        if self.config.save_fitted:
            save_fitted(self.config.save_fitted, self.config.model, self.config.fit, self.backbone, self.fitted)

    def rows(self, sample: Sample, result: Anomaly) -> list[Row]:
        """Label and raw score."""
        return [{"label": result.label, "score": result.score}]

    def blank(self, sample: Sample) -> list[Row]:
        """Normal, with the lowest score."""
        return [{"label": 0, "score": 0.0}]

    def record(self) -> Mapping[str, object]:
        """The backbone, what was fitted, each image's score and p-value, and the unreadable normal images."""
        named = self.config.checkpoint
        return {
            "models": [{"checkpoint": named, **origin(named, Path(self.checkpoint)), **self.backbone.identity}],
            "method": self.config.model,
            "categories": {category: facts(fitted) for category, fitted in self.fitted.items()},
            "normals": {name: files_state(paths) for name, paths in self.folders.normals.items()},
            "unreadable_normals": self.unreadable,
            "scores": self.scores,
            "p_values": self.p_values,
        }

    def _checkpoint(self) -> str:
        """The weights' file that the settings name, or the folder of the checkpoint that they name."""
        named = self.config.checkpoint
        return named if Path(named).expanduser().is_file() else str(self.runner.keep(partial(resolve, named)))

    def _check_threshold(self) -> None:
        """Sets the threshold of what is fitted already; raises what would come to light after the fitting only."""
        config, known = self.config, self.fitted or self.folders.normals
        if isinstance(config.threshold, dict) and (missing := [name for name in known if name not in config.threshold]):
            raise ConfigError(
                f"expected a threshold for each category ({', '.join(known)}), found none for {', '.join(missing)}"
            )
        if config.threshold == "rate" and not self.fitted:
            for paths in self.folders.normals.values():
                check_rate(len(paths), config.false_positive_rate)
        if config.threshold is not None:
            self.fitted = {
                category: replace(fitted, threshold=self._threshold(category, fitted.held_out))
                for category, fitted in self.fitted.items()
            }

    def _threshold(self, category: str, held_out: Sequence[float]) -> float:
        chosen = self.config.threshold
        if isinstance(chosen, dict):
            return chosen[category]
        if isinstance(chosen, float):
            return chosen
        if chosen == "rate":
            return of_rate(held_out, self.config.false_positive_rate)
        return of_quantile(held_out, self.config.quantile)

    def _fit_or_resume(self, category: str, paths: Sequence[Path]) -> Fitted:
        """A category as an earlier run fitted it, where that was kept, else fitted now and kept."""
        journal, config = self.runner.journal, self.config
        kept = None if journal is None else journal.get(f"fitted {category}")
        if journal is not None and kept is not None:
            self.unreadable |= kept["unreadable"]
            folder = journal.path.parent / kept["folder"]
            _, fitted = load_fitted(folder, config.model, self.backbone, self.runner.device)
            return fitted[category]
        found = self._fit(category, paths)
        if journal is not None:
            name = f"fitted {list(self.folders.normals).index(category)}"
            names = {path.as_posix() for path in paths}
            unreadable = {path: why for path, why in self.unreadable.items() if path in names}
            with journal.keeping():
                save_fitted(journal.path.parent / name, config.model, config.fit, self.backbone, {category: found})
                journal.put(f"fitted {category}", {"folder": name, "unreadable": unreadable})
        return found

    def _fit(self, category: str, paths: Sequence[Path]) -> Fitted:
        """One category: its features once, then a model for each fold and one on all."""
        normals, features = self._features(category, paths)
        folds = sum(1 for _ in split(len(features), self.config.folds, 0))
        device, seed = self.runner.device, self.config.fit.seed
        with tqdm(total=folds + 1, desc=f"fit {category}", disable=not self.config.runner.progress) as bar:

            def tell(done: int) -> None:
                if self.runner.watch is not None:
                    self.runner.watch(f"fit {category}", done, folds + 1)

            def scores_of(fold: int, others: Sequence[int], held_out: Sequence[int]) -> Sequence[float]:
                tell(fold)

                def fit_and_score() -> list[float]:
                    self._check_time(category)
                    scorer = self.runner.alone(partial(fit, others))
                    whole = self._whole(category, [(normals[place], features[place]) for place in held_out])
                    return [self.runner.alone(partial(scorer.score, each)) for each in whole]

                scores = self.runner.once(f"fold {fold} of {category}", fit_and_score)
                bar.update()
                return scores

            with torch.inference_mode():
                fit = self.runner.alone(partial(self.method.fitter, features, device))
                held_out = out_of_fold(len(features), scores_of, self.config.folds, seed)
                self._check_time(category)
                tell(folds)
                scorer = self.runner.alone(partial(fit, range(len(features))))
            bar.update()
        return Fitted(scorer, self._threshold(category, held_out), len(features), held_out)

    def _features(self, category: str, paths: Sequence[Path]) -> tuple[list[Sample], list[Tensor]]:
        """The normal images that can be read, and what a fit needs of each, on the CPU; the others are reported."""
        samples = [Sample(path.as_posix(), path) for path in paths]
        extractor = PatchExtractor(self.backbone, self.method, len(paths))
        normals, features, unreadable = [], [], {}
        for outcome in self.runner.run(extractor, samples, f"features {category}", journal=False):
            if not outcome.reached:
                self._check_time(category)
            if outcome.result is None:
                unreadable[outcome.item.id] = outcome.error
            else:
                normals.append(outcome.item)
                features.append(outcome.result)
        self.unreadable |= unreadable
        if unreadable:
            some = "; ".join(list(unreadable.values())[:SHOWN])
            print(f"{len(unreadable)} of {len(paths)} normal images ({category}) are left out: {some}", file=sys.stderr)
        if len(features) < 2:
            raise InputError(f"expected at least 2 normal images of {category} that can be read, found {len(features)}")
        return normals, features

    def _whole(self, category: str, normals: Sequence[tuple[Sample, Tensor]]) -> Iterator[Tensor]:
        """The features (H, W, D) of normal images; where a part of them was kept for the fits, they are made again."""
        if all(features.ndim == 3 for _, features in normals):
            yield from (features for _, features in normals)
            return
        samples = [sample for sample, _ in normals]
        for outcome in self.runner.run(self.extractor, samples, f"held-out {category}", journal=False):
            if not outcome.reached:
                self._check_time(category)
            if outcome.result is None:
                raise InputError(f"expected {outcome.item.path} as it was a moment ago, but: {outcome.error}")
            yield outcome.result

    def _check_time(self, category: str) -> None:
        if self.runner.stop.due():
            raise StoppedError(
                f"expected to fit {category} on its normal images, but {self.runner.stop.reason}; nothing was scored "
                "yet, so no submission was written; run the same again, with more time"
            )

    def _keep(self, sample: Sample, result: Anomaly) -> None:
        """For the record, and as pictures and maps where the settings ask for them."""
        fitted = self.fitted[self.folders.category(sample)]
        self.scores[sample.id] = result.score
        self.p_values[sample.id] = p_value(result.score, fitted.held_out)
        if result.map is None or not (self.config.save_maps or self.config.save_images):
            return
        name, heat = self._name(sample), smooth(result.map, self.backbone.size_hw)
        if self.config.save_maps:
            path = self.config.save_maps / self.map_names[name]
            if self.map_names[name] == map_name(name):  # the name of its own that a run among others gave it is stale
                (self.config.save_maps / own_name(name, map_name)).unlink(missing_ok=True)
            self.extras.write(partial(write_map, path, heat))
        if self.config.save_images:
            path = self.config.save_images / self.heatmap_names[name]
            self.extras.write(partial(write_heatmap, path, sample.path, heat, fitted.threshold))

    def _name(self, sample: Sample) -> str:
        """Its image's path in the folder of all."""
        return sample.path.relative_to(self.config.data.images).as_posix()
