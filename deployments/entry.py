"""Where every Prefect deployment points: ``deployments.entry.<flow>`` (dotted, see registering).

Importing it fills the slot that the flows read, unless this process filled it already: so a flow
starts alike in our worker and in Prefect's own process worker.
"""

from deployments.root import build
from deployments.settings import load
from flows.prefect import rectification, vacancy, watch
from services.env import install, is_installed

__all__ = ["rectification", "vacancy", "watch"]

if not is_installed():
    install(build(load()))
