"""Reports: one self-contained HTML file out of a run's artifacts. No torch, no network.

run directory ──read──> Facts ──sections──> Page ──templates──> report.html
"""

from accord.reports.page import build

__all__ = ["build"]
