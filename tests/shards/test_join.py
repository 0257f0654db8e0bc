from nqperf.formats.journal import Journal, ShardRecord
from nqperf.shards.join import joined_states


def journal(tmp_path, *observed):
    records = [
        ShardRecord(number=number, windows=1, seconds={}, observed=states) for number, states in enumerate(observed)
    ]
    return Journal(folder=tmp_path, done={record.number: record for record in reversed(records)})


def test_what_all_shards_have_alike_is_told_once(tmp_path):
    alike = {"traces": 1, "grappler": {"remapping": True}}
    assert joined_states(journal(tmp_path, alike, dict(alike))) == {"observed": alike, "observed_apart": []}


def test_what_shards_have_apart_is_told_with_their_numbers(tmp_path):
    found = joined_states(
        journal(
            tmp_path,
            {"device": "a", "traces": 1, "threads": 2},
            {"device": "b", "traces": 1, "threads": 2, "more": None},
            {"device": "a", "traces": 1, "threads": 2},
        )
    )
    assert found == {
        "observed": {"traces": 1, "threads": 2},
        "observed_apart": [{"shards": [0, 2], "device": "a"}, {"shards": [1], "device": "b", "more": None}],
    }


def test_a_state_that_is_none_is_not_one_that_is_not_there(tmp_path):
    found = joined_states(journal(tmp_path, {"gpu": None}, {}))
    assert found == {"observed": {}, "observed_apart": [{"shards": [0], "gpu": None}, {"shards": [1]}]}
