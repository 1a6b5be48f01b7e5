"""The published Drain algorithm (He, Zhu, Zheng, Lyu: an online log parsing approach with fixed depth tree, 2017), written
anew in plain Python as a peer for speed alone: neither its authors' program nor Drain3, which are not to be had offline."""

DEPTH, SIMILAR, CHILDREN, ANY = 2, .4, 100, "<*>"


class Drain:
    def __init__(self):
        self.root, self.groups = {}, 0

    def leaf(self, words):
        """By the number of words, then by the first ones; words with digits, and too many kinds of them, are any word."""
        node = self.root.setdefault(len(words), {})
        for word in words[:DEPTH]:
            if any(c.isdigit() for c in word) or (word not in node and len(node) >= CHILDREN):
                word = ANY
            node = node.setdefault(word, {})
        return node.setdefault(None, [])

    def add(self, line):
        words = line.split()
        groups, best, most = self.leaf(words), None, -1
        for group in groups:
            same = sum(a == b for a, b in zip(group[0], words))
            if same > most:
                best, most = group, same
        if best is None or most < SIMILAR * len(words):
            self.groups += 1
            best = [words, self.groups]
            groups.append(best)
        else:
            best[0] = [a if a == b else ANY for a, b in zip(best[0], words)]
        return best[1]
