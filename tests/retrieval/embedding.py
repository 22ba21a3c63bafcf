"""What a small embedding model (WordLlama, 256 dimensions, in its package) would add to search by words.

Reads what the `retrieval` example has dumped. Three rankings: words alone (as used), the model alone,
and both joined by reciprocal rank fusion.
"""

import json
import pathlib
import sys
import time

import numpy
import wordllama
from wordllama import WordLlama

FIRST = 5
#: Ranks are joined as 1 / (RANK_OFFSET + rank); 60 is usual.
RANK_OFFSET = 60
CANDIDATES = 50


def fits(passage, expected):
    sources, words = expected
    return passage["source"] in sources and any(word in passage["text"] or word in passage.get("heading", "") for word in words)


def joined(*rankings):
    scores = {}
    for ranking in rankings:
        for rank, at in enumerate(ranking):
            scores[at] = scores.get(at, 0) + 1 / (RANK_OFFSET + rank)
    return sorted(scores, key=lambda at: -scores[at])


def main(file):
    # Weights and tokenizer lie in the package; it would look for the latter elsewhere.
    model = WordLlama.load(cache_dir=pathlib.Path(wordllama.__file__).parent, disable_download=True)
    print("\n| documents | ranking | questions | first is right | right among 5 | ms a question |\n|---|---|---|---|---|---|")
    for one in json.load(open(file)):
        passages = one["passages"]
        place = {(passage["source"], passage["text"]): at for at, passage in enumerate(passages)}
        vectors = model.embed([f"{passage.get('heading', '')}\n{passage['text']}" for passage in passages], norm=True)
        asked = [question for question in one["questions"] if question["expected"]]
        marks = {"words": [0, 0, 0.0], "model": [0, 0, 0.0], "both": [0, 0, 0.0]}
        for question in asked:
            begun = time.perf_counter()
            similar = vectors @ model.embed([question["question"]], norm=True)[0]
            by_model = [int(at) for at in numpy.argsort(-similar)[:CANDIDATES]]
            took = (time.perf_counter() - begun) * 1000
            by_words = [place[tuple(found)] for found in question["ranked"]]
            for name, ranking in (("words", by_words), ("model", by_model), ("both", joined(by_words, by_model))):
                hits = [fits(passages[at], question["expected"]) for at in ranking[:FIRST]]
                mark = marks[name]
                mark[0] += hits[:1] == [True]
                mark[1] += any(hits)
                mark[2] += 0 if name == "words" else took
        for name, (first, among, took) in marks.items():
            print(f"| {one['name']} | {name} | {len(asked)} | {first} | {among} | {took / len(asked):.1f} |")


if __name__ == "__main__":
    main(sys.argv[1])
