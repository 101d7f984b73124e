"""What a script asks `mx.contrib.text`, of either `mx`: the answers, as JSON has them."""

import collections
import warnings
from pathlib import Path

SOURCE = " Life is great ! \n life is good . \n\nlife  goes on\n"
VECTORS = {
    "plain.txt": "hello 1 2 3\nworld 4.5 5 6e-1\nLife 7 8 9\nlife 0.1 0.2 0.3\n",
    "header.txt": "4 2\n<unk>,9,9\nhello,1,2\nhello,3,4\nis,5,6\n".replace("4 2", "4,2"),
    "glove/glove.6B.50d.txt": "\n".join(f"{word} {' '.join(map(str, range(50)))}" for word in ("is", "good")),
}


def write(folder):
    for name, text in VECTORS.items():
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def state(vocabulary):
    answer = {
        "tokens": list(vocabulary.idx_to_token),
        "numbers": dict(vocabulary.token_to_idx),
        "unknown": vocabulary.unknown_token,
        "reserved": vocabulary.reserved_tokens,
        "length": len(vocabulary),
        "indices": vocabulary.to_indices(["life", "no such", "is"]),
        "index": vocabulary.to_indices("life"),
        "back": vocabulary.to_tokens([0, len(vocabulary) - 1]),
    }
    if hasattr(vocabulary, "idx_to_vec"):
        answer["size"] = vocabulary.vec_len
        answer["vectors"] = vocabulary.idx_to_vec.asnumpy().tolist()
        for lower in (False, True):
            asked = vocabulary.get_vecs_by_tokens(["LIFE", "hello", "nothing", "is"], lower)
            answer[f"asked {lower}"] = asked.asnumpy().tolist()
        answer["single"] = vocabulary.get_vecs_by_tokens("world").asnumpy().tolist()
    return answer


def failure(call):
    try:
        call()
    except Exception as error:
        return next(
            kind.__name__ for kind in (AssertionError, ValueError, KeyError, TypeError) if isinstance(error, kind)
        )
    return None


def answers(mx, folder):
    text = mx.contrib.text
    count, vocabulary = text.utils.count_tokens_from_str, text.vocab.Vocabulary
    counter = count(SOURCE)
    result = {
        "plain": dict(counter),
        "lower": dict(count(SOURCE, to_lower=True)),
        "delimited": dict(count("*Life*is*\n*is*", r"\*", "\n", True)),
        "updated": dict(count("is on", counter_to_update=collections.Counter({"is": 2}))),
    }
    for number, options in enumerate((
        {}, {"most_freq_count": 3}, {"min_freq": 2}, {"most_freq_count": 0}, {"reserved_tokens": ["<pad>", "is"]},
        {"most_freq_count": 2, "unknown_token": "life", "reserved_tokens": []},
    )):  # fmt: skip
        result[f"vocabulary {number}"] = state(vocabulary(counter, **options))
    embedding = text.embedding
    words = vocabulary(counter, reserved_tokens=["<pad>"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = embedding.CustomEmbedding(str(folder / "plain.txt"))
        header = embedding.CustomEmbedding(str(folder / "header.txt"), ",", init_unknown_vec=mx.nd.ones)
        ones = embedding.CustomEmbedding(str(folder / "plain.txt"), init_unknown_vec=mx.nd.ones, vocabulary=words)
        reserved = embedding.CustomEmbedding(str(folder / "plain.txt"), reserved_tokens=["<pad>"])
    glove = embedding.create("GloVe", pretrained_file_name="glove.6B.50d.txt", embedding_root=str(folder))
    both = embedding.CompositeEmbedding(words, [plain, glove, header])
    single = embedding.CompositeEmbedding(words, header)
    for name, each in {"plain": plain, "header": header, "ones": ones, "reserved": reserved, "glove": glove,
                       "both": both, "single": single}.items():  # fmt: skip
        result[f"embedding {name}"] = state(each)
    plain.update_token_vectors(["hello", "life"], mx.nd.array([[1, 1, 1], [2, 2, 2]]))
    plain.update_token_vectors("<unk>", mx.nd.array([5, 5, 5]))
    plain.update_token_vectors(["world"], mx.nd.array([[6, 6, 6]]))
    result["updated vectors"] = state(plain)
    result["files"] = embedding.get_pretrained_file_names()
    result["files of glove"] = embedding.get_pretrained_file_names("glove")
    result["hashes"] = [embedding.GloVe.pretrained_archive_name_sha1, embedding.FastText.pretrained_file_name_sha1]

    @embedding.register
    class Mine(embedding.CustomEmbedding):
        pretrained_file_name_sha1 = {"mine.txt": "0"}  # noqa: RUF012

    result["registered"] = state(embedding.create("mine", pretrained_file_path=str(folder / "plain.txt")))
    result["files of mine"] = embedding.get_pretrained_file_names("mine")
    result["failures"] = [failure(call) for call in (
        lambda: vocabulary(counter, min_freq=0),
        lambda: vocabulary(counter, reserved_tokens=["a", "a"]),
        lambda: vocabulary(counter, reserved_tokens=["<unk>"]),
        lambda: vocabulary({"a": 1}),
        lambda: words.to_tokens(100),
        lambda: embedding.get_pretrained_file_names("nothing"),
        lambda: embedding.GloVe("nothing.txt"),
        lambda: embedding.CustomEmbedding(str(folder / "missing.txt")),
        lambda: embedding.CompositeEmbedding(words, [1]),
        lambda: embedding.CompositeEmbedding(1, plain),
        lambda: plain.update_token_vectors("nothing", mx.nd.array([1, 2, 3])),
        lambda: plain.update_token_vectors("hello", mx.nd.array([1, 2])),
        lambda: plain.update_token_vectors(["hello", "life"], mx.nd.array([1, 2, 3])),
    )]  # fmt: skip
    return result
