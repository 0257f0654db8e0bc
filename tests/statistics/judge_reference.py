"""The judge of one row alone, written down slowly: every look from the beginning, plain t tests, no arrays.

With one row there is no variance to share and no family to correct for, so that all rules of a verdict can be read off.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from nqperf.statistics.spending import nominal_level

VIEWS = ("location", "total")


@dataclass(kw_only=True)
class Found:
    outcome: str
    decided: bool
    suspected_at: int | None = None
    surely_slower: bool = False
    by_total: bool = False
    interval: tuple[float, float] | None = None
    p_fail: float | None = None
    p_pass: float | None = None
    more_sets: int | None = None


class Reference:
    """Judges the sets of one `row`, lists of log ratios by view; of `planned` sets, with the time `up` at the last."""

    def __init__(self, row, sets, *, planned, up, config):
        self.row, self.sets, self.planned, self.up, self.config = row, sets, planned, up, config
        self.floor = math.log(row.floor.ratio) if row.floor else 0.0
        self.looks = []

    def judge(self):
        found = None
        for count in range(1, len(self.sets["location"]) + 1):
            found = self._look(count, found)
        found.more_sets = self._more_sets(len(self.sets["location"]), found)
        return found

    def _more_sets(self, count, found):
        """How many sets more decide in four of five cases, where the boundary of several looks is a tenth wider."""
        shown = found.outcome == "PASS" or found.outcome == "FAIL"  # noqa: PLR1714  # two ends, each named
        if shown or (found.decided and not self.up) or found.interval is None:
            return None
        values = self.sets["location"][:count]
        mean, sd = statistics.fmean(values), float(np.std(values, ddof=1))
        # In four of five samples the variance times its degrees of freedom is above this part of the true one.
        sd *= math.sqrt((count - 1) / float(stats.chi2.ppf(0.2, count - 1)))

        def enough(gap, alpha):
            """The sets after which a mean that lies `gap` off shows it at the level `alpha`, in 80 % of runs."""
            return ((1.1 * float(stats.norm.isf(alpha)) + 0.84) * sd / gap) ** 2 if gap > 0 else math.inf

        config = self.config
        margin = math.log(config.pass_margin)
        inside = (1 - config.confidence) / 2
        if self.row.role == "planted":
            needed = enough(-mean, inside)
        elif self.row.floor is None and self.row.role == "row":
            needed = enough(margin / 2, inside)
        else:
            slower = abs(mean) if self.row.role == "same" else self.floor - mean
            to_fail = max(
                enough(slower, config.red_runs), enough(slower - math.log(config.fail_margin), config.beyond_alpha)
            )
            needed = min(to_fail, enough(margin - slower, inside))
        if needed > count + 200:
            return None
        more = max(1, math.ceil(needed) - count)
        return more if found.suspected_at is None else max(more, config.confirming)

    def _look(self, count, before):
        config = self.config
        up = self.up and count == len(self.sets["location"])
        if up or count >= config.first_look:
            last = self.looks[-1] if self.looks else (0, 0.0, 0.0)
            to_fail = min(1.0, count / max(self.planned - config.confirming, config.first_look))
            to_all = min(1.0, count / max(self.planned, count))
            to_fail, to_all = (1.0, 1.0) if up else (max(last[1], to_fail), max(last[2], to_all))
            self.looks.append((count, to_fail, to_all))
        if self.row.role == "planted":
            return self._planted(count, up)
        if self.row.floor is None and self.row.role == "row":
            return self._reported(count, up)
        return self._judged(count, up, before)

    def _tail(self, view, count, beyond):
        """How likely a mean this far below the floor is, were the row exactly `beyond` slower; None for one set."""
        values = self.sets[view][:count]
        if count < 2:
            return None
        error = float(np.std(values, ddof=1)) / math.sqrt(count)
        return float(special.stdtr(count - 1, -(self.floor - statistics.fmean(values) - beyond) / error))

    def _slow(self, view, count, beyond=0.0):
        slower = self._tail(view, count, beyond)
        if slower is None:
            return 1.0
        if self.row.role != "same":
            return slower
        return min(1.0, 2 * min(slower, 1 - self._tail(view, count, -beyond)))

    def _within(self, count):
        margin = math.log(self.config.pass_margin)
        if count < 2:
            return 1.0
        sides = [1 - self._tail("location", count, margin)]
        if self.row.role == "same":
            sides.append(self._tail("location", count, -margin))
        return max(sides)

    def _level(self, alpha, *, to_fail):
        looks = [(count, fail if to_fail else others) for count, fail, others in self.looks if count > 1]
        return nominal_level([count for count, _ in looks], [share for _, share in looks], alpha) if looks else 0.0

    def _interval(self, count):
        if count < 2:
            return None
        values = self.sets["location"][:count]
        reach = stats.t.isf(self._one_look(), count - 1) * float(np.std(values, ddof=1)) / math.sqrt(count)
        return statistics.fmean(values) - reach, statistics.fmean(values) + reach

    def _one_look(self):
        return 0.7 * (1 - self.config.confidence) / 2

    def _planted(self, count, up):
        interval = self._interval(count)
        found = Found(outcome="INCONCLUSIVE", decided=up, interval=interval)
        if interval is None or not (up or count >= self.config.first_look):
            return found
        half, more = (-math.log1p(share * self.row.planted) for share in (0.5, 1.5))
        if interval[1] < more or interval[0] > half:
            found.outcome, found.decided = "FAIL", True
        elif interval[1] < 0:
            found.outcome, found.decided = "PASS", True
        return found

    def _reported(self, count, up):
        interval = self._interval(count)
        narrow = interval is not None and interval[1] - interval[0] <= math.log(self.config.pass_margin)
        enough = narrow and count >= self.config.first_look
        return Found(outcome="REPORTED", decided=up or enough, interval=interval)

    def _judged(self, count, up, before):
        config = self.config
        shares = dict(zip(VIEWS, (1 - config.total_share, config.total_share), strict=True))
        fail = math.log(config.fail_margin)
        slower = {view: self._slow(view, count) for view in VIEWS}
        beyond = {view: self._slow(view, count, fail) for view in VIEWS}
        within = self._within(count)
        looking = bool(self.looks) and self.looks[-1][0] == count
        surely = before is not None and before.surely_slower
        sure, lax = (self._level(alpha, to_fail=True) for alpha in (config.red_runs, config.beyond_alpha))
        if looking and count > 1 and any(slower[view] / shares[view] <= sure for view in VIEWS):
            surely = True
        is_beyond = looking and any(beyond[view] / shares[view] <= lax for view in VIEWS)
        inside = looking and within <= self._level((1 - config.confidence) / 2, to_fail=False) and beyond["total"] > 0.1
        shown_by = "total" if beyond["total"] < beyond["location"] / 4 else "location"

        found = Found(
            outcome="INCONCLUSIVE", decided=up, surely_slower=surely, interval=self._interval(count),
            p_fail=slower["location"], p_pass=within,
        )  # fmt: skip
        if before is not None and before.outcome == "FAIL":
            found.outcome, found.decided, found.by_total = "FAIL", True, before.by_total
            return found
        suspected = before.suspected_at if before else None
        if suspected is None and surely and is_beyond:
            suspected = count
        if suspected is not None and count - suspected >= config.confirming:
            all_show = (
                beyond[shown_by] <= config.beyond_alpha * shares[shown_by] and slower[shown_by] <= self._one_look()
            )
            if all_show and self._new_sets_agree(shown_by, suspected, count):
                found.outcome, found.decided, found.by_total = "FAIL", True, shown_by == "total"
                return found
            suspected = None
        still = before is not None and before.outcome == "PASS" and within <= self._one_look()
        if suspected is None and (inside or still):
            found.outcome, found.decided = "PASS", True
            return found
        found.suspected_at = suspected
        return found

    def _new_sets_agree(self, view, since, count):
        new = self.sets[view][since:count]
        if not new:
            return True
        slowdown = self.floor - statistics.fmean(new)
        faster = self.row.role == "same" and statistics.fmean(self.sets[view][:count]) > self.floor
        return (-slowdown if faster else slowdown) > 0
