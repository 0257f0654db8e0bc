import sys, time, collections, traceback, os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, os.path.dirname(__file__))
import keras_hub_models as m
from nqperf.casts.audit import audit

names = sys.argv[1:] or list(m.BACKBONES)
for n in names:
    for p in ("mixed_float16", "mixed_bfloat16"):
        t = time.time()
        try:
            a = audit(m.backbone(n), precision=p)
        except Exception as e:
            print(n, p, "ERROR", type(e).__name__, str(e)[:400])
            continue
        print(
            n,
            p,
            "complete" if a.complete else f"INCOMPLETE {a.stopped}",
            dict(collections.Counter(f.rule for f in a.findings)),
            f"{time.time() - t:.1f}s",
            f"share {a.metrics['allow_list_16_bit_share']:.0%}",
            flush=True,
        )
        if os.environ.get("V"):
            g = collections.Counter(
                (f.rule, f.path.split("site-packages/")[-1] if f.path else None, f.line, f.message) for f in a.findings
            )
            for k, v in g.items():
                print("    ", v, *k)
