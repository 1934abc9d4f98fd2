"""The tasks by name. Whoever reads this list knows of each all that commands, doctor, scoring and demo ask."""

from collections.abc import Mapping

from pipelines.anomaly.task import TASK as ANOMALY
from pipelines.caption.task import TASK as CAPTION
from pipelines.classify.task import TASK as CLASSIFY
from pipelines.core.task import Task
from pipelines.detect.task import TASK as DETECT
from pipelines.search.task import TASK as SEARCH

TASKS: Mapping[str, Task] = {task.name: task for task in (CAPTION, DETECT, ANOMALY, CLASSIFY, SEARCH)}
