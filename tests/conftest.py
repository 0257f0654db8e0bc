import fcntl
import functools
import io
import os
import subprocess
import sys

import pytest
from sentencepiece import SentencePieceTrainer
from tokenizers import Tokenizer as Library
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer

from nqperf.engines.registry import EngineRow
from nqperf.formats.nq.jsonl import NqReader
from nqperf.formats.weights.checkpoints import convert
from nqperf.formats.weights.folder_files import FolderFiles
from nqperf.formats.weights.model_folder import write_model_folder
from nqperf.formats.weights.tokenizer_file import TokenizerFile, find_tokenizer
from nqperf.formats.weights.tokenizers import load_tokenizer
from nqperf.model.config import BertConfig
from nqperf.model.weights import initial_weights
from nqperf.nq.context import ContextConfig, marker_words
from tests.documents import original, river_examples, river_page, simplified, write_lines
from tests.families import write_hugging_face

SPECIAL = ["[CLS]", "[SEP]", "[Q]"]
MARKERS = marker_words(ContextConfig(max_position=3), max_context_id=6)
WORDS = "the river is in a of was built by who over long hill ##s ##ed ##e ##i ##n ##v lake v bridge miles ada qui ##ll"


@pytest.fixture(scope="session")
def bfloat16_fault(tmp_path_factory):
    """Return how a process ends that multiplies in bfloat16, "" where it does; one worker sees it for all of them."""
    folder = tmp_path_factory.getbasetemp()
    seen = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "bfloat16"
    with seen.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        if not (status := file.read()):
            command = [sys.executable, "-m", "nqperf.perf.machine.probe", "tensorflow", "bfloat16"]
            status = str(subprocess.run(command, capture_output=True, text=True, check=False).returncode)
            file.write(status)
    return "" if status == "0" else f"bfloat16 cannot be used here: exit status {status}"


@pytest.fixture
def bfloat16_works(bfloat16_fault):
    """Skip the test where multiplying in bfloat16 ends the process."""
    if bfloat16_fault:
        pytest.skip(bfloat16_fault)


def pytest_collection_modifyitems(items):
    """Let a test that multiplies in bfloat16, by its mark or a parameter, ask first whether that works here."""
    for item in items:
        values = [getattr(item, "callspec", None) and item.callspec.params.get(name) for name in ("precision", "dtype")]
        if any(str(value).endswith("bfloat16") for value in values) or item.get_closest_marker("bfloat16"):
            item.fixturenames.insert(0, "bfloat16_works")


@pytest.fixture(scope="module", autouse=True)
def modules_of_one_file(tmp_path_factory):
    """Forget what a file's tests imported from their temporary folders: another file may call a module the same."""
    yield
    written = str(tmp_path_factory.getbasetemp())
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__dict__", {}).get("__file__")).startswith(written):
            del sys.modules[name]


@pytest.fixture(autouse=True)
def policy_of_one_test():
    """Fail a test that leaves Keras another global policy: the tests after it would build other models."""
    yield
    keras = sys.modules.get("keras")
    left = keras.config.dtype_policy().name if hasattr(keras, "config") else "float32"
    if left != "float32":
        keras.config.set_dtype_policy("float32")
        pytest.fail(f"the test left Keras the global policy {left}, expected float32", pytrace=False)


@pytest.fixture(scope="session")
def loaded_engines():
    """Hold the engines that `engines_loaded_once` was asked for."""
    return {}


@pytest.fixture
def engines_loaded_once(monkeypatch, loaded_engines):
    """Load each engine once for all tests of this process, for those that are about the commands around it."""
    load = EngineRow.load

    def once(row, model_config, weights, settings, *, seq_length):
        tensors = tuple((name, values.tobytes()) for name, values in weights.items())
        key = (row.name, model_config, tensors, repr(sorted(settings.items())), seq_length)
        if key not in loaded_engines:
            loaded_engines[key] = load(row, model_config, weights, settings, seq_length=seq_length)
        return loaded_engines[key]

    monkeypatch.setattr(EngineRow, "load", once)


@pytest.fixture(scope="session")
def sentencepiece_file(tmp_path_factory):
    """Train a small SentencePiece model: <pad> 0, <unk> 1, then [CLS], [SEP], [Q] and the markers."""
    model = io.BytesIO()
    lines = [" ".join(word for word in river_page(number).tokens if "<" not in word) for number in range(30)]
    SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        vocab_size=140,
        hard_vocab_limit=False,
        user_defined_symbols=SPECIAL + MARKERS,
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        normalization_rule_name="nmt_nfkc_cf",
        minloglevel=2,
    )
    path = tmp_path_factory.mktemp("sentencepiece") / "tokenizer.model"
    path.write_bytes(model.getvalue())
    return path


@pytest.fixture(scope="session")
def wordpiece_file(tmp_path_factory):
    """Write a small WordPiece vocabulary with letters, digits and some punctuation."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + list("0123456789.,'")
    pieces = ["[PAD]", "[UNK]", *SPECIAL, *MARKERS, *WORDS.split(), *letters, *(f"##{letter}" for letter in letters)]
    path = tmp_path_factory.mktemp("wordpiece") / "vocab.txt"
    path.write_text("\n".join(dict.fromkeys(pieces)) + "\n")
    return path


@pytest.fixture(scope="session")
def sentencepiece(sentencepiece_file):
    return load_tokenizer(sentencepiece_file)


@pytest.fixture(scope="session")
def wordpiece(wordpiece_file):
    return load_tokenizer(wordpiece_file)


@pytest.fixture(scope="session")
def byte_level_files(tmp_path_factory):
    """Train two byte-level BPEs: RoBERTa's kind with [Q] and the markers, GPT-2's kind without, as it is published."""
    lines = [" ".join(word for word in river_page(number).tokens if "<" not in word) for number in range(30)]
    paths = {}
    for family, special in {
        "roberta": ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "[Q]", *MARKERS],
        "gpt2": ["<|endoftext|>"],
    }.items():
        library = Library(BPE())
        library.pre_tokenizer = ByteLevel(add_prefix_space=False)
        alphabet = ByteLevel.alphabet()
        trainer = BpeTrainer(vocab_size=420, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
        library.train_from_iterator(lines, trainer)
        folder = tmp_path_factory.mktemp(family)
        if family == "roberta":
            library.save(str(folder / "tokenizer.json"))
        else:
            library.model.save(str(folder))
        paths[family] = folder / ("tokenizer.json" if family == "roberta" else "vocab.json")
    return paths


@pytest.fixture(scope="session")
def vocabulary_of(sentencepiece_file, wordpiece_file, byte_level_files):
    """Return a function from a family to a vocabulary of its kind."""
    files = {"bert": wordpiece_file, "distilbert": wordpiece_file, "albert": sentencepiece_file, **byte_level_files}
    return lambda family: find_tokenizer(FolderFiles(files[family].parent), (files[family].name,))


@pytest.fixture(scope="session")
def family_folder(tmp_path_factory, vocabulary_of):
    """Return a function from a family to a model folder that was converted from Hugging Face's files, without heads."""

    @functools.cache
    def folder(family):
        source = tmp_path_factory.mktemp(family)
        write_hugging_face(source, family, vocabulary_of(family))
        convert(source, source.with_name(f"{family}-model"), seed=2)
        return source.with_name(f"{family}-model")

    return folder


@pytest.fixture(scope="session")
def roberta_pieces(byte_level_files):
    return load_tokenizer(byte_level_files["roberta"])


@pytest.fixture(scope="session")
def gpt2_pieces(byte_level_files):
    return load_tokenizer(byte_level_files["gpt2"])


@pytest.fixture(scope="session", params=["sentencepiece", "wordpiece", "roberta_pieces", "gpt2_pieces"])
def tokenizer(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def tiny_config(sentencepiece):
    return BertConfig(
        vocab_size=sentencepiece.vocabulary.size,
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=20,
        max_position_embeddings=48,
    )


@pytest.fixture(scope="session")
def tiny_weights(tiny_config):
    return initial_weights(tiny_config, seed=3)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory, tiny_config, tiny_weights, sentencepiece_file):
    """Write a tiny seeded model with its SentencePiece tokenizer."""
    path = tmp_path_factory.mktemp("models") / "tiny"
    tokenizer = TokenizerFile(path=sentencepiece_file, kind="sentencepiece")
    write_model_folder(path, tiny_config, tiny_weights, tokenizer)
    return path


@pytest.fixture(scope="session", params=[simplified, original], ids=["simplified", "original"])
def data_file(request, tmp_path_factory):
    """Write five annotated examples in one of the layouts."""
    folder = tmp_path_factory.mktemp("data")
    return write_lines(folder / "rivers.jsonl.gz", river_examples(5, request.param))


@pytest.fixture(scope="session")
def river_documents(tmp_path_factory):
    """Read five examples."""
    path = write_lines(tmp_path_factory.mktemp("data") / "rivers.jsonl", river_examples(5))
    return list(NqReader(source=str(path)).examples())
