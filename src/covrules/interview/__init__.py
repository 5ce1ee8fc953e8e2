"""The plan interview: what to ask an insurer on the telephone, and the file that its answers make."""

from covrules.interview.asking import Interview, Question, Unconfirmed

__all__ = ["Interview", "Question", "Unconfirmed"]
