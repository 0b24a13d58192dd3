"""One family of exceptions: each says what is wrong and what to do about it.

Every error carries the value that caused it and, where there is one, a near match, so that a page
or a command line can show the sentence as it stands.

>>> raise UnknownRoleError("inductoin", known=["induction", "diffuse"])
Traceback (most recent call last): headroles.errors.UnknownRoleError: There is no role called
'inductoin'. Did you mean 'induction'? ...
"""

from headroles.errors.base import (
    HeadrolesError,
    near_match,
    ours,
)
from headroles.errors.models import (
    HubAnswerError,
    ModelListError,
    ModelNameError,
    ModelNotListedError,
    ModelRunError,
    ModelUnavailableError,
    NoRoomError,
    NotANumberError,
    ServerBusyError,
    SourceError,
    TooLargeError,
    UnknownModelError,
    UnsupportedModelError,
)
from headroles.errors.prompts import (
    ChatTemplateError,
    DecompositionError,
    DetectionError,
    EmptyPromptError,
    ExportError,
    LimitError,
    LinkError,
    NoHeadOfRoleError,
    PairError,
    PatternError,
    ShapeError,
    TextFileError,
    UnknownHeadError,
    UnknownPositionError,
    UnknownRoleError,
)
from headroles.errors.scores import (
    AnalysisError,
    CategoriesBrokenError,
    CategoriesMissingError,
    JobNotEndedError,
    KnownHeadsError,
    OtherWeightsError,
    StaleWriteError,
    UnknownJobError,
    UnknownVersionError,
)
from headroles.errors.server import (
    AccessConfigError,
    DiskError,
    DiskFullError,
    FileBusyError,
    NotSignedInError,
    SettingError,
    TooManyAttemptsError,
    WrongSecretError,
)

__all__ = [
    "AccessConfigError",
    "AnalysisError",
    "CategoriesBrokenError",
    "CategoriesMissingError",
    "ChatTemplateError",
    "DecompositionError",
    "DetectionError",
    "DiskError",
    "DiskFullError",
    "EmptyPromptError",
    "ExportError",
    "FileBusyError",
    "HeadrolesError",
    "HubAnswerError",
    "JobNotEndedError",
    "KnownHeadsError",
    "LimitError",
    "LinkError",
    "ModelListError",
    "ModelNameError",
    "ModelNotListedError",
    "ModelRunError",
    "ModelUnavailableError",
    "NoHeadOfRoleError",
    "NoRoomError",
    "NotANumberError",
    "NotSignedInError",
    "OtherWeightsError",
    "PairError",
    "PatternError",
    "ServerBusyError",
    "SettingError",
    "ShapeError",
    "SourceError",
    "StaleWriteError",
    "TextFileError",
    "TooLargeError",
    "TooManyAttemptsError",
    "UnknownHeadError",
    "UnknownJobError",
    "UnknownModelError",
    "UnknownPositionError",
    "UnknownRoleError",
    "UnknownVersionError",
    "UnsupportedModelError",
    "WrongSecretError",
    "near_match",
    "ours",
]
