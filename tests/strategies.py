"""Every Hypothesis strategy of the tests."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from nqperf.nq.answers import AnswerConfig
from nqperf.nq.example import Candidates, Example
from nqperf.nq.features import FEATURE_FIELDS, Features
from nqperf.nq.grouping import AnswerInput
from nqperf.nq.logits import Logits
from nqperf.nq.ranking import RankingConfig

TAGS = ("<P>", "</P>", "<Table>", "<Ul>", "<Dl>", "<Ol>", "<Tr>", "<H2>", "<P class=x>")
ODD_WORDS = (
    "",
    " ",
    "\t",
    "\u00a0",
    "\u200b",
    "\u0301",
    "[Q]",
    "[CLS]",
    "[]",
    "[",
    "[ContextId=1]",
    "[Paragraph=1]",
    "[1]",
)
INT32 = st.integers(-1, 2**31 - 1)

# Any Unicode but lone surrogates, which no JSON line can hold; empty and white words among them.
words = st.one_of(
    st.text(max_size=8),
    st.sampled_from(ODD_WORDS),
    st.sampled_from(("the", "river", "Vell", "1871", "Quill's", "long.")),
)
example_ids = st.integers(-(2**63), 2**63 - 2**31)


@st.composite
def candidates(draw, length):
    """Draw candidates within a document of `length` tokens."""
    spans = draw(
        st.lists(
            st.tuples(st.integers(0, length - 1), st.integers(1, length), st.booleans()).filter(lambda c: c[0] < c[1]),
            max_size=8,
        )
    )
    return Candidates(
        start_token=np.array([span[0] for span in spans], dtype=np.int32),
        end_token=np.array([span[1] for span in spans], dtype=np.int32),
        top_level=np.array([span[2] for span in spans], dtype=np.bool_),
    )


@st.composite
def examples(draw):
    """Draw an example whose document is any mixture of words and tags."""
    tokens = draw(st.lists(st.one_of(words, st.sampled_from(TAGS)), min_size=1, max_size=30))
    is_html = [token in TAGS or draw(st.booleans()) for token in tokens]
    return Example(
        example_id=draw(example_ids),
        question=" ".join(draw(st.lists(words, max_size=6))),
        tokens=tokens,
        is_html=np.array(is_html, dtype=np.bool_),
        candidates=draw(candidates(len(tokens))),
    )


@st.composite
def any_features(draw, max_rows=6):
    """Draw rows of any numbers that a feature file can hold."""
    shape = draw(st.integers(1, max_rows)), draw(st.integers(1, 9))
    fields = {name: draw(npst.arrays(np.int32, shape, elements=INT32)) for name in FEATURE_FIELDS[1:]}
    unique_id = draw(npst.arrays(np.int64, shape[0], elements=st.integers(-(2**63), 2**63 - 1)))
    return Features(unique_id=unique_id, **fields)


# Few different values make ties; the ends of float32 make sums overflow.
_logit = st.one_of(
    st.sampled_from([-1.0, -0.0, 0.0, 0.5, 1.0, 2.0, 9.0, np.inf, -np.inf]),
    st.floats(width=32, allow_nan=False),
)


@st.composite
def some_logits(draw, features):
    """Draw logits of these features: ties, infinities, no NaN."""
    rows, length = features.token_map.shape
    return Logits(
        unique_id=features.unique_id,
        start_logits=draw(npst.arrays(np.float32, (rows, length), elements=_logit, fill=_logit)),
        end_logits=draw(npst.arrays(np.float32, (rows, length), elements=_logit, fill=_logit)),
        answer_type_logits=draw(npst.arrays(np.float32, (rows, 5), elements=st.floats(-9, 9, width=32))),
    )


@st.composite
def answer_cases(draw):
    """Draw examples, their features and logits, as answering gets them.

    Ids are near each other on purpose: an example's last window may be full and the next id the next example's.
    """
    length, document = draw(st.integers(3, 9)), 12
    ids = draw(st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True))
    inputs, parts = [], []
    for example_id in ids:
        inputs.append(AnswerInput(example_id=example_id, candidates=draw(candidates(document))))
        rows = draw(st.integers(1, 3))
        mask = np.ones((rows, length), dtype=np.int32)
        mask[-1, draw(st.integers(3, length)) :] = 0
        token_map = draw(npst.arrays(np.int32, (rows, length), elements=st.integers(-1, document - 1)))
        if draw(st.booleans()):
            token_map.sort(axis=1)
        token_map[mask == 0] = -1
        segment_ids, input_ids = mask.copy(), mask * 7
        segment_ids[:, 0] = 0
        input_ids[0, 1:3], token_map[0, 1:3] = 5, -1  # the pseudo-candidate
        parts.append(
            Features(
                unique_id=example_id + np.arange(rows),
                input_ids=input_ids,
                input_mask=mask,
                segment_ids=segment_ids,
                token_map=token_map,
            )
        )
    features = Features(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in FEATURE_FIELDS})
    starts = np.cumsum([0, *map(len, parts)]).astype(np.int32)
    return inputs, features, starts, draw(some_logits(features))


@st.composite
def answer_configs(draw):
    return AnswerConfig(
        long_threshold=draw(st.sampled_from([-1.0, 0.0, 3.0])),
        short_threshold=draw(st.sampled_from([-1.0, 1.0, 8.0])),
        yes_no=draw(st.booleans()),
        ranking=RankingConfig(
            best=draw(st.integers(1, 6)), max_length=draw(st.integers(1, 9)), one_piece=draw(st.booleans())
        ),
    )


@st.composite
def blocks(draw, rows):
    """Draw a way to cut `rows` into blocks, empty ones among them."""
    cuts = sorted(draw(st.lists(st.integers(0, len(rows)), max_size=6)))
    return [rows.rows(start, end) for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
