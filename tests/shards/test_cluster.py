"""Runs on a local Ray cluster: lost nodes, workers that fail and hang, the same bytes as in one process."""

import dataclasses
import os
import time
from pathlib import Path

import pytest

from nqperf.errors import ConfigError, FormatError, MissingExtraError
from nqperf.formats.nq.chunks import LinesSource
from nqperf.formats.nq.jsonl import NqReader
from nqperf.formats.weights.model_folder import open_model
from nqperf.nq.features import FeatureConfig
from nqperf.pipeline import PipelineConfig
from nqperf.run import RunConfig, run
from nqperf.shards import cluster as cluster_module
from nqperf.shards.cluster import ClusterConfig, ClusterError, RayWorker
from tests.documents import break_line, river_examples, write_lines
from tests.shards.kills import contents

pytestmark = pytest.mark.slow(15)
LENGTHS = PipelineConfig(features=FeatureConfig(max_seq_length=48, doc_stride=16, max_query_length=12))


class FaultyWorker(RayWorker):
    """Raises at one shard and hangs at another one, each the first time; its state is a folder that all share."""

    def answer(self, task):
        folder = Path(os.environ["NQPERF_TEST_FAULTS"])
        for number, fault in ((2, "raised"), (4, "hung")):
            if task.number == number:
                try:
                    (folder / fault).mkdir()
                except FileExistsError:
                    continue
                if fault == "hung":
                    time.sleep(1000)
                raise RuntimeError("a fault that was planted")
        return super().answer(task)


class BrokenWorker(RayWorker):
    """Raises at one shard always."""

    def answer(self, task):
        if task.number == 1:
            raise RuntimeError("a fault that was planted")
        return super().answer(task)


def config_of(out, model, **changes):
    """In ONNX Runtime, which each of Ray's workers imports far sooner than TensorFlow."""
    settings = {"engine": "onnxruntime", "settings": {"batch_size": 4}}
    return RunConfig(model=open_model(model), out=out, pipeline=LENGTHS, shard_examples=2, **settings, **changes)


def answer(data, config):
    return run(LinesSource(reader=NqReader(source=str(data))), config)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_lines(tmp_path_factory.mktemp("data") / "rivers.jsonl", river_examples(31))


@pytest.fixture(scope="module")
def undisturbed(data, model_folder, tmp_path_factory):
    config = config_of(tmp_path_factory.mktemp("undisturbed") / "out", model_folder)
    answer(data, config)
    return contents(config.out)


@pytest.fixture
def three_nodes(tmp_path, monkeypatch):
    """Start a cluster of three nodes with one core each."""
    ray = pytest.importorskip("ray", reason="the extra ray is not installed")
    from ray.cluster_utils import Cluster

    (tmp_path / "faults").mkdir()
    monkeypatch.setenv("NQPERF_TEST_FAULTS", str(tmp_path / "faults"))
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(2):
        nodes.add_node(num_cpus=1)
    yield nodes
    ray.shutdown()
    nodes.shutdown()


def test_a_lost_node_a_fault_and_a_hang_change_no_bit(
    three_nodes, data, model_folder, undisturbed, tmp_path, monkeypatch
):
    monkeypatch.setattr(cluster_module, "RayWorker", FaultyWorker)
    cluster = ClusterConfig(address=three_nodes.address, shard_seconds=12)
    config = config_of(tmp_path / "out", model_folder, cluster=cluster)
    answered = []

    def between_shards():
        answered.append(len(list(config.work.glob("shard-*.logits.npz"))))
        if len(answered) == 5:
            three_nodes.remove_node(next(iter(three_nodes.worker_nodes)), allow_graceful=False)

    result = run(LinesSource(reader=NqReader(source=str(data))), config, between_shards=between_shards)
    assert sorted(path.name for path in (tmp_path / "faults").iterdir()) == ["hung", "raised"]
    assert answered == list(range(1, 17))  # no shard twice
    assert (result.shards, result.examples) == (16, 31)
    assert contents(config.out) == undisturbed


def test_what_fails_everywhere_or_is_the_datas_fault_ends_the_run(
    three_nodes, data, model_folder, undisturbed, tmp_path, monkeypatch
):
    cluster = ClusterConfig(address=three_nodes.address, tries=2, workers=1)
    config = config_of(tmp_path / "out", model_folder, cluster=cluster)
    broken = break_line(data, tmp_path / "broken.jsonl", 7)
    with pytest.raises(FormatError, match=f"{broken}, line 8, field question_text") as caught:
        answer(broken, config)
    assert "3 shards are kept" in caught.value.kept
    with monkeypatch.context() as patched:
        patched.setattr(cluster_module, "RayWorker", BrokenWorker)
        with pytest.raises(ClusterError, match=r"shard 2 fails, 2 times; the last: .*a fault that was planted"):
            answer(data, dataclasses.replace(config, fresh=True))
    with pytest.raises(ClusterError, match="a worker is given 9 and 0: ask for less"):
        answer(data, dataclasses.replace(config, cluster=dataclasses.replace(cluster, worker_cpus=9)))
    # What a cluster began, one process ends.
    result = answer(data, dataclasses.replace(config, cluster=None))
    assert 1 <= result.resumed_shards <= 3
    assert contents(config.out) == undisturbed


def test_odd_clusters_are_refused(data, model_folder, tmp_path):
    for changes in ({"workers": 0}, {"worker_cpus": 0}, {"shard_seconds": 0}, {"tries": 0}, {"worker_gpus": -1}):
        with pytest.raises(ConfigError, match="expected"):
            ClusterConfig(**changes)
    odd = config_of(tmp_path / "out", model_folder, cluster=ClusterConfig(address="127.0.0.1:1"))
    try:
        import ray  # noqa: F401
    except ImportError:
        with pytest.raises(MissingExtraError, match=r"pip install 'path/to/nqperf\[ray\]'"):
            answer(data, odd)
    else:
        with pytest.raises(ClusterError, match=r"no Ray at 127\.0\.0\.1:1 .*refused"):
            answer(data, odd)
