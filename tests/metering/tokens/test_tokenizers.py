"""The other tokenizers: Mistral's, a file's, the provider's own; and what stays off the loop."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from backend.errors import ConfigurationError
from backend.metering.tokens import RemoteTokenizer, check_setting, count_text, tokenizer_for
from backend.metering.tokens.counts import TokenCount
from backend.metering.tokens.encodings import LONGEST_PIECE, encoding, pieces
from backend.metering.tokens.tokenizer import LocalTokenizer
from tests.metering.tokens.test_images import chat, data_url
from tests.metering.tokens.test_openai_chat import TOOLS, WEATHER

pytestmark = pytest.mark.fast

TEMPLATE = """\
{{ bos_token }}
{%- if tools %}[TOOLS]{{ tools | tojson }}[/TOOLS]{% endif %}
{%- for message in messages %}<{{ message.role }}>{{ message.content }}</{{ message.role }}>
{%- endfor %}
{%- if add_generation_prompt %}<assistant>{% endif %}"""


@pytest.fixture(scope="module")
def tokenizer_json(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level tokenizer, trained here, with a chat template beside it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator([message["content"] for message in WEATHER], trainer)
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"chat_template": TEMPLATE, "bos_token": {"content": "<s>"}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder / "tokenizer.json"


async def test_a_file_counts_the_prompt_that_its_template_makes(tokenizer_json: Path) -> None:
    tokenizer = tokenizer_for(f"file:{tokenizer_json}", model="own")
    system, user = (message["content"] for message in WEATHER)
    prompt = f"<s><system>{system}</system><user>{user}</user><assistant>"
    counted = await tokenizer.count_chat(WEATHER)
    by_hand = Tokenizer.from_file(str(tokenizer_json)).encode(prompt, add_special_tokens=False)
    assert (counted.total, counted.exact) == (len(by_hand), True)
    with_tools = await tokenizer.count_chat(WEATHER, TOOLS)
    assert with_tools.tools > 50
    assert with_tools.total - with_tools.tools == counted.total


async def test_a_file_without_a_template_counts_the_text_and_says_so(
    tokenizer_json: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "tokenizer.json"
    copyfile(tokenizer_json, alone)
    counted = await tokenizer_for(f"file:{alone}", model="own").count_chat(WEATHER)
    assert counted.total == counted.text > 0
    assert not counted.exact


async def test_a_template_cannot_reach_out_of_its_sandbox(
    tokenizer_json: Path, tmp_path: Path
) -> None:
    evil = tmp_path / "tokenizer.json"
    copyfile(tokenizer_json, evil)
    (tmp_path / "chat_template.jinja").write_text("{{ ''.__class__.__mro__[1].__subclasses__() }}")
    counted = await tokenizer_for(f"file:{evil}", model="own").count_chat(WEATHER)
    assert not counted.exact
    assert "unsafe" in counted.notes[0]


@pytest.mark.slow
async def test_mistral_counts_by_its_own_chat_encoding() -> None:
    from mistral_common.protocol.instruct.request import ChatCompletionRequest
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    own = MistralTokenizer.v3(is_tekken=True)
    tokenizer = tokenizer_for("mistral:v3-tekken", model="open-mistral-nemo")
    for tools in ([], TOOLS):
        request = ChatCompletionRequest.from_openai(WEATHER, tools=tools or None)
        counted = await tokenizer.count_chat(WEATHER, tools)
        assert counted.total == len(own.encode_chat_completion(request).tokens)
        assert counted.exact
    assert await tokenizer.count_text("hello world") == 2


@pytest.mark.slow
async def test_mistrals_pictures_cost_what_its_encoder_makes_of_them() -> None:
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    encoder = MistralTokenizer.v3(is_tekken=True, is_mm=True).instruct_tokenizer.image_encoder
    assert encoder is not None
    tokenizer = tokenizer_for("mistral:v3-tekken-mm", model="pixtral-12b")
    for size in ((16, 16), (613, 257), (2000, 500), (20_000, 3)):
        picture = Image.new("RGB", size)
        across, down = encoder._image_to_num_tokens(picture)
        counted = await tokenizer.count_chat(chat(data_url(picture, "PNG")))
        assert (counted.images, counted.exact) == ((across + 1) * down, True), size


@pytest.mark.slow  # to read its tokenizer takes a second, and so it does below
async def test_mistral_never_fetches_a_picture() -> None:
    tokenizer = tokenizer_for("mistral:v3-tekken-mm", model="pixtral-12b")
    for url in ("https://images.invalid/a.png", "file:///etc/hostname"):
        counted = await tokenizer.count_chat(chat(url))
        assert counted.images == 65 * 64  # the largest: 1024 by 1024 in patches of 16
        assert [note.partition(":")[0] for note in counted.notes] == ["messages.0.content.1"]


@pytest.mark.slow
async def test_a_chat_that_mistral_has_no_place_for_counts_as_its_text() -> None:
    tokenizer = tokenizer_for("mistral:v3-tekken", model="open-mistral-nemo")
    counted = await tokenizer.count_chat([{"role": "narrator", "content": "hello world"}])
    assert (counted.total, counted.exact) == (2, False)


@pytest.mark.parametrize("setting", ["", "tiktoken", "tiktoken:", "sentencepiece:x", "Upstream"])
def test_a_setting_that_names_none_is_refused(setting: str) -> None:
    with pytest.raises(ConfigurationError, match="not one of tiktoken"):
        check_setting(setting)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("tiktoken:o300k", "there are cl100k_base"),
        ("tiktoken:p50k_base", "TIKTOKEN_CACHE_DIR"),
        ("mistral:v99", "v3-tekken"),
        ("mistral:v1", "sentencepiece"),
        ("file:/nowhere/tokenizer.json", "can't be read"),
    ],
)
async def test_a_tokenizer_that_is_not_here_says_what_to_do(
    setting: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    with pytest.raises(ConfigurationError, match=sentence):
        await tokenizer_for(setting, model="m").count_text("hello")


async def test_a_file_that_is_no_tokenizer_is_told_of(tmp_path: Path) -> None:
    wrong = tmp_path / "tokenizer.json"
    wrong.write_text('{"version": "none"}')
    with pytest.raises(ConfigurationError, match="not a tokenizer"):
        await tokenizer_for(f"file:{wrong}", model="m").count_text("hello")


def test_harmony_shares_the_ranks_that_are_packaged() -> None:
    assert encoding("o200k_harmony").encode_ordinary("hello") == encoding(
        "o200k_base"
    ).encode_ordinary("hello")


class TwoWordsAToken(RemoteTokenizer):
    """A provider of the test's own, with a template that adds four words."""

    def __init__(self, *, answers: bool = True, template: bool = True) -> None:
        self._answers = answers
        self._template = template

    async def tokenize(self, text: str) -> int | None:
        return len(text.split()) // 2 if self._answers else None

    async def prompt_text(self, messages: Any, tools: Any = None) -> str | None:
        if not self._template:
            return None
        said = " ".join(message["content"] for message in messages)
        return f"a b c d {said}" + (" tool tool" if tools else "")


async def test_the_providers_own_count_and_template_are_asked() -> None:
    tokenizer = tokenizer_for("upstream", model="own", remote=TwoWordsAToken())
    counted = await tokenizer.count_chat([{"role": "user", "content": "one two"}], TOOLS)
    assert (counted.text, counted.overhead, counted.tools, counted.exact) == (1, 2, 1, True)


@pytest.mark.parametrize(
    "remote", [None, TwoWordsAToken(answers=False), TwoWordsAToken(template=False)]
)
async def test_a_provider_that_does_not_say_is_stood_in_for(
    remote: RemoteTokenizer | None,
) -> None:
    tokenizer = tokenizer_for("upstream", model="own", remote=remote)
    counted = await tokenizer.count_chat([{"role": "user", "content": "one two"}])
    assert counted.total > 0
    assert not counted.exact


class NeverAnswers(TwoWordsAToken):
    """A provider that hangs."""

    async def tokenize(self, text: str) -> int | None:
        await asyncio.Event().wait()
        return 0


async def test_a_provider_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.metering.tokens.tokenizer.PATIENCE_SECONDS", 0.01)
    tokenizer = tokenizer_for("upstream", model="own", remote=NeverAnswers())
    counted = await tokenizer.count_chat([{"role": "user", "content": "one two"}])
    assert counted.total > 0
    assert not counted.exact


@pytest.mark.slow
@pytest.mark.parametrize("sign", [" ", "\t \u3000", "\n", "^", "\u6f22"])
@pytest.mark.parametrize(
    "setting", ["tiktoken:o200k_base", "tiktoken:cl100k_base", "mistral:v3-tekken"]
)
async def test_a_million_signs_of_a_kind_are_counted(setting: str, sign: str) -> None:
    """tiktoken panics in the middle of a million blanks, and takes the call's bill with it."""
    tokenizer = tokenizer_for(setting, model="gpt-4o")
    some, many = sign * (LONGEST_PIECE // len(sign)), sign * (1_200_000 // len(sign))
    share = await tokenizer.count_text(some)
    counted = await tokenizer.count_text(many)
    shares = len(many) / len(some)
    assert abs(counted - shares * share) <= 2 * shares
    said = await tokenizer.count_chat([{"role": "user", "content": many}])
    assert said.text >= counted


def test_a_long_text_counts_in_pieces_as_it_would_whole() -> None:
    words = "The quick brown fox, 12345 — naïve façade;\n\n  jumps " * 20_000
    cut = list(pieces(words))
    assert "".join(cut) == words
    assert len(cut) > 4
    assert max(map(len, cut)) <= LONGEST_PIECE
    for name in ("o200k_base", "cl100k_base"):
        assert count_text(name, words) == len(encoding(name).encode_ordinary(words))


@pytest.mark.slow  # to read the tokenizers takes a second
@pytest.mark.parametrize(
    "setting", ["tiktoken:o200k_base", "tiktoken:cl100k_base", "mistral:v3-tekken", "file"]
)
async def test_the_tokens_of_a_text_make_it_up(setting: str, tokenizer_json: Path) -> None:
    setting = f"file:{tokenizer_json}" if setting == "file" else setting
    tokenizer = tokenizer_for(setting, model="m")
    for text in ("", "Hello world", "  naïve façade — 🙂👩\u200d💻\n\n株式会社 x", "a" * 50):
        pieces = await tokenizer.split_text(text)
        assert pieces is not None
        assert "".join(pieces) == text
        assert len(pieces) == await tokenizer.count_text(text)


class Failing:
    """A counter that fails as native code does: by a panic, which is no ``Exception``."""

    def __init__(self, text: str) -> None:
        self._text = text

    def count_text(self, text: str) -> int:
        return len(encoding("o200k_base").encode_ordinary(self._text))

    def split_text(self, text: str) -> list[str]:
        raise ValueError("no such token")

    def count_chat(self, messages: Any, tools: Any) -> TokenCount:
        raise ValueError("no such token")


@pytest.mark.parametrize("length", [10, 100_000])
async def test_a_tokenizer_that_fails_says_so_in_a_word_that_is_caught(length: int) -> None:
    tokenizer = LocalTokenizer("file:own", lambda: Failing(" " * 1_200_000))
    with pytest.raises(ConfigurationError, match=r"file:own failed: .*StackOverflow"):
        await tokenizer.count_text("a" * length)
    with pytest.raises(ConfigurationError, match="file:own failed: no such token"):
        await tokenizer.count_chat([{"role": "user", "content": "a" * length}])


async def test_counting_a_long_text_leaves_the_loop_free() -> None:
    text = "The quick brown fox, 12345 — naïve façade; " * 50_000
    tokenizer = tokenizer_for("tiktoken:o200k_base", model="gpt-4o")
    await tokenizer.count_text("warm")
    counting = asyncio.create_task(tokenizer.count_chat([{"role": "user", "content": text}]))
    turns = 0

    def turn() -> None:
        nonlocal turns
        turns += 1
        if not counting.done():
            asyncio.get_running_loop().call_soon(turn)

    turn()
    counted = await counting
    assert counted.text == count_text("o200k_base", text) + 1
    # Inline, the loop would have turned a few times. The benchmark says how long it was held.
    assert turns > 50
