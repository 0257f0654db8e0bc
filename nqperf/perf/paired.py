"""Where `PairedConfig` and `paired` were: projects that import them from here go on to work.

New code imports them from `nqperf.gate`.
"""

from __future__ import annotations

from nqperf.perf.pairs.paired import PairedConfig, paired

__all__ = ["PairedConfig", "paired"]
