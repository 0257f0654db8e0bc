"""Peak memory of the streamed stages does not grow with the file."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nqperf
from nqperf.formats.nq.logits_npz import write_logits
from nqperf.formats.nq.tfrecord import read_features
from nqperf.nq.logits import Logits
from tests.pages import vocabulary, write_pages

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc"),
]

FEW, MANY = 100, 1000
# Many windows a page, so that the few examples fill every block that is read at once.
SHORT = ("--max-seq-length", 128, "--doc-stride", 64, "--max-query-length", 16)
# VmHWM is this program's own peak; the peak of getrusage starts with the parent's.
PEAK_OF = """
import sys
from nqperf.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as leave:
    assert not leave.code, leave.code
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak_of(*arguments):
    """Run one command; return its peak memory. Units: KiB."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK_OF, *map(str, arguments), "--quiet"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(nqperf.__file__).parent.parent,
    )
    return int(done.stdout.split()[-1])


def spoken(path):
    """Yield random logits of the features in `path`."""
    rng = np.random.default_rng(2)
    for block in read_features(path):
        shape = block.token_map.shape
        yield Logits(
            unique_id=block.unique_id,
            start_logits=rng.normal(0, 4, shape).astype(np.float32),
            end_logits=rng.normal(0, 4, shape).astype(np.float32),
            answer_type_logits=np.zeros((shape[0], 5), np.float32),
        )


@pytest.fixture(scope="module")
def peaks(tmp_path_factory):
    """Run prepare, answer and evaluate on few and on ten times as many examples; return the peaks."""
    folder = tmp_path_factory.mktemp("memory")
    vocab = folder / "vocab.txt"
    vocab.write_text("\n".join(vocabulary()) + "\n")
    found = {"prepare": [], "answer": [], "evaluate": []}
    for count in (FEW, MANY):
        data = write_pages(folder / f"{count}.jsonl", count, tokens=600)
        features, logits, predictions = (folder / f"{count}.{name}" for name in ("tfrecord", "npz", "json"))
        found["prepare"].append(peak_of("prepare", data, "--tokenizer", vocab, "--out", features, *SHORT))
        write_logits(logits, spoken(features))
        arguments = ("answer", data, "--features", features, "--logits", logits, "--out", predictions)
        found["answer"].append(peak_of(*arguments))
        assert len(json.loads(predictions.read_text())["predictions"]) == count
        found["evaluate"].append(peak_of("evaluate", "--gold", data, "--predictions", predictions))
    return found


@pytest.mark.parametrize("stage", ["prepare", "answer", "evaluate"])
def test_ten_times_the_examples_take_at_most_a_tenth_more_memory(peaks, stage):
    few, many = peaks[stage]
    assert many <= few * 1.1, f"{few} KiB for {FEW} examples, {many} KiB for {MANY}"
