"""Acts beside deciding: one file for each, one command path for all of them (issue of the acts).

``act_on`` carries an act out, ``acts_on`` says which a person may do now, ``act_form`` what its
page asks for.
"""

from services.acts.acting import act_on
from services.acts.page import act_form, acts_on

__all__ = ["act_form", "act_on", "acts_on"]
