"""The intake: the questions of a verdict asked one at a time, until it is determined."""

from covrules.intake.asking import Intake

__all__ = ["Intake"]
