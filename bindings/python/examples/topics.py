"""Texts to topics: words are counted, rare ones weigh more (TF-IDF), and the sparse
rows are clustered by cosine. Prints the words that tell most of each topic.

    python examples/topics.py

Needs SciPy. scikit-learn's TfidfVectorizer makes such rows of any texts.
"""

import math

import numpy as np
import scipy.sparse

from kentro import KMeans

TEXTS = [
    "the telescope shows moons around a distant planet",
    "a comet passed the planet and its moons",
    "stars form where clouds of gas collapse",
    "the telescope found young stars in a gas cloud",
    "bake the bread until the crust is brown",
    "knead flour water and salt then bake",
    "butter and flour make a crust for the cake",
    "a cake of butter sugar and flour",
    "the striker scored a goal before the whistle",
    "the keeper saved every shot at the goal",
    "a match without a goal ends at the whistle",
    "the striker left the match after a foul",
]
SHOWN = 3
SHORTEST = 4

columns = {}  # of each word, in the order in which they are met
indices, indptr = [], [0]
for text in TEXTS:
    for word in text.split():
        if len(word) >= SHORTEST:
            indices.append(columns.setdefault(word, len(columns)))
    indptr.append(len(indices))
found = np.bincount(indices)
values = np.array([math.log(len(TEXTS) / found[i]) for i in indices], dtype=np.float32)
rows = scipy.sparse.csr_matrix((values, indices, indptr), shape=(len(TEXTS), len(columns)))

kmeans = KMeans(3)
topics = kmeans.train(rows)
words = list(columns)
print(f"{len(TEXTS)} texts, {len(words)} words")
for topic, (members, centroid) in enumerate(zip(topics, kmeans.centroids)):
    best = np.argsort(-centroid, kind="stable")[:SHOWN]
    print(f"\ntopic {topic}: {', '.join(words[i] for i in best)}")
    for i in members:
        print(f"  {TEXTS[i]}")
