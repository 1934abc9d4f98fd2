"""The exceptions that a user meets; the message is one sentence: what was expected, what was found, where, what to do.

SuiteError
├── ConfigError        a settings file or a command-line setting
├── InputError         an image folder, a test CSV, a sample submission, a prompt
│   └── ImageError     one picture that cannot be read: its row is left blank, the run goes on
├── CheckpointError    a model folder or hub id
├── SubmissionError    a submission that would not be valid
└── StoppedError       a run that had to stop before there was anything to submit
"""


class SuiteError(Exception):
    """Ends a command with its message on one line and exit code 2."""


class ConfigError(SuiteError):
    """A settings file or a command-line setting is not what the schema asks for."""


class InputError(SuiteError):
    """An image folder, a CSV that names images, or a prompt cannot be used."""


class ImageError(InputError):
    """One picture cannot be read."""


class CheckpointError(SuiteError):
    """A model folder or hub id cannot be loaded."""


class SubmissionError(SuiteError):
    """What a run would write is not a valid submission."""


class StoppedError(SuiteError):
    """A deadline or a signal came before there was anything to submit."""
