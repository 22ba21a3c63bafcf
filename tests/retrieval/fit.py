"""Fits what the built-in answerer's features weigh, on the working halves of the sets.

Reads what `answers --dump FILE` wrote: for each question every quotation that could be made, with its
features and whether it would be right. Two models, both linear: which quotation is best (a softmax over
those of one question), and whether the best is said (a logistic). Prints the rows of `features.rs` and how
well both do on sites that were left out while fitting.

    fit.py FILE [--wrong 0.03]
"""

import json
import re
import sys

import numpy

#: Both models are pulled towards zero: there are a few hundred questions only.
RANK_L2, SURE_L2 = 0.02, 0.001
STEPS = 400
#: A greater margin says no more.
MARGIN_MAX = 3.0
#: Questions in the words of their documents are few among the sets, and frequent in life.
OLDER_COUNTS = 3.0


def load(file):
    data = json.load(open(file))
    questions = []
    for one in data["questions"]:
        question = one["question"]
        candidates = [candidate for candidate in one["weighed"] if candidate[0] == 0]
        if question["kind"] in ("two", "person", "complaint", "small_talk"):
            continue
        features = numpy.array([candidate[2] for candidate in candidates], float).reshape(len(candidates), len(data["features"]))
        right = numpy.array([bool(candidate[1]) and bool(question.get("right")) for candidate in candidates], float)
        texts = [(candidate[4], candidate[3]) for candidate in candidates]
        absent = candidates[0][5] if candidates else 0.0
        questions.append({
            "site": one["site"], "question": question, "features": features, "right": right, "texts": texts,
            "absent": absent,
        })
    return data["features"], questions


def ascend(gradient, size, l2):
    """Adam, with steps that shrink."""
    weights, first, second = numpy.zeros(size), numpy.zeros(size), numpy.zeros(size)
    for step in range(1, STEPS + 1):
        slope = gradient(weights) - l2 * weights
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        rate = 0.1 if step < STEPS / 2 else 0.03
        weights += rate * first / (1 - 0.9**step) / (numpy.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return weights


def fit_rank(questions, size):
    told = [(one["features"], one["right"]) for one in questions if one["right"].sum()]

    def gradient(weights):
        slope = numpy.zeros(size)
        for features, right in told:
            scores = features @ weights
            share = numpy.exp(scores - scores.max())
            share /= share.sum()
            among = share * right / max((share * right).sum(), 1e-12)
            slope += features.T @ (among - share)
        return slope / len(told)

    return ascend(gradient, size, RANK_L2)


def overlaps(one, other):
    """Whether one says a sentence or line of the other, as `choose.rs` judges it."""
    (passage, text), (other_passage, other_text) = one, other
    shares = lambda a, b: any(piece.strip() and piece.strip() in b for piece in re.split(r"(?<=[.!?]) |\n", a))
    return text == other_text or (passage == other_passage and (shares(text, other_text) or shares(other_text, text)))


def best(one, weights):
    """Score and margin of the best, and whether it is right; nothing without candidates."""
    if not len(one["features"]):
        return None
    scores = one["features"] @ weights
    order = numpy.argsort(-scores)
    top = order[0]
    other = [at for at in order[1:] if not overlaps(one["texts"][at], one["texts"][top])]
    margin = min(MARGIN_MAX, scores[top] - scores[other[0]]) if other else MARGIN_MAX
    return numpy.array([scores[top], margin, one["absent"], 1.0]), one["right"][top], one["site"]


def fit_sure(pairs):
    """A logistic of score, margin, and what no passage has: with all features beside them it was no better on
    sites left out."""
    features = numpy.array([features for features, _, _ in pairs])
    right = numpy.array([right for _, right, _ in pairs])
    counts = numpy.array([OLDER_COUNTS if site.startswith("older/") else 1.0 for _, _, site in pairs])

    def gradient(weights):
        return features.T @ (counts * (right - 1 / (1 + numpy.exp(-features @ weights)))) / counts.sum()

    return ascend(gradient, features.shape[1], SURE_L2)


def main():
    file = sys.argv[1]
    most_wrong = float(sys.argv[sys.argv.index("--wrong") + 1]) if "--wrong" in sys.argv else 0.03
    names, questions = load(file)
    size = len(names)
    answerable = sum(bool(one["question"].get("right")) for one in questions)
    held = []
    hits = 0
    for site in sorted({one["site"] for one in questions}):
        inside = [one for one in questions if one["site"] != site]
        rank = fit_rank(inside, size)
        sure = fit_sure([pair for pair in (best(one, rank) for one in inside) if pair])
        for one in questions:
            pair = best(one, rank) if one["site"] == site else None
            if pair:
                hits += pair[1]
                held.append((1 / (1 + numpy.exp(-pair[0] @ sure)), pair[1]))
    print(f"left out: best is right {hits:.0f} of {answerable}", file=sys.stderr)
    held.sort(key=lambda pair: -pair[0])
    right = wrong = 0
    least, table = 1.0, []
    for probability, hit in held:
        right, wrong = right + hit, wrong + 1 - hit
        table.append((probability, right / answerable, wrong / len(questions)))
        if wrong <= most_wrong * len(questions):
            least = probability
    for share in (0.01, 0.02, 0.03, 0.05, 0.08):
        rows = [row for row in table if row[2] <= share]
        if rows:
            print(f"wrong <= {share:.0%}: right {max(row[1] for row in rows):.0%} at {rows[-1][0]:.2f}", file=sys.stderr)
    rank = fit_rank(questions, size)
    pairs = [pair for pair in (best(one, rank) for one in questions) if pair]
    sure = fit_sure(pairs)
    print(f"all: best is right {sum(right for _, right, _ in pairs):.0f} of {answerable}", file=sys.stderr)
    for name, score in zip(names, rank):
        print(f"{name}: {score:.2f};")
    # What is shown as near (`least_near`) is chosen by hand, beside `least`.
    print(f"score: {sure[0]:.3f}, margin: {sure[1]:.3f}, absent: {sure[2]:.3f}, bias: {sure[3]:.3f}, least: {least:.2f}")


if __name__ == "__main__":
    main()
