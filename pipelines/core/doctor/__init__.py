"""Finds what makes a run or a submission invalid: before the models load, and after the CSV is written."""

from pipelines.core.doctor.findings import Finding
from pipelines.core.doctor.inputs import check_inputs
from pipelines.core.doctor.models import check_models
from pipelines.core.doctor.submission import check_submission

__all__ = ["Finding", "check_inputs", "check_models", "check_submission"]
