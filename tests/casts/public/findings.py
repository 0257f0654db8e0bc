"""What the audit finds in a public model; its edits are not tried, which would take most of the time."""

from nqperf.casts import building
from nqperf.casts.audit import judge
from nqperf.casts.trace import tracing


def findings_of(build, precision="mixed_float16"):
    """Return the findings in what `build` returns, and why the trace stopped, None where it came to its end."""
    with building.keras_restored():
        built, model = building.built(build, None, precision)
        trace, _ = tracing.trace(built)
        return judge(trace, model), trace.stopped
