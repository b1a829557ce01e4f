"""Makes logs that hold, and logs in which one thing is wrong; `verify.py generate DIR` calls it.

Keys come from fixed seeds and Ed25519 is deterministic, so that the files are the same at every run. Beside
the files stands expected.json: file -> {about, exit, leaf, between, words, and the files to use it with}.
"""

import base64
import copy
import hashlib
import json
import math

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from verify import LOG_KEY, TILE, WITNESS_KEY, Key, Tree, base64url, canonical, leaf_hash

ORIGIN = "log.example.com/works"
FORMER = "log.example.com/works-before"
WITNESSES = ["witness.example.org/union", "witness.example.net/press", "witness.example.com/university"]
TIME = 1_790_000_000  # when the first leaf was written; a minute a leaf


class Signer:
    def __init__(self, name, kind=LOG_KEY, seed=None):
        digest = hashlib.sha256(f"daylight test key {seed or name}".encode()).digest()
        self.secret = Ed25519PrivateKey.from_private_bytes(digest)
        public = self.secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key = Key(name, kind, public)
        self.public = base64url(public)

    def line(self, text, time=0):
        """A note's signature line over this text; a witness's says the time."""
        if self.key.kind == LOG_KEY:
            signature = self.secret.sign(text.encode())
        else:
            message = f"cosignature/v1\ntime {time}\n{text}"
            signature = time.to_bytes(8, "big") + self.secret.sign(message.encode())
        return f"— {self.key.name} {base64.b64encode(self.key.id + signature).decode()}\n"


FIRST, SECOND, STRANGER = (Signer(ORIGIN, seed=seed) for seed in ("first", "second", "stranger"))
MIDDLE = Signer("log.example.com/works-between")
UNION, PRESS, UNIVERSITY = (Signer(name, WITNESS_KEY) for name in WITNESSES)


def policy(quorum="group union-press-university 2 union press university\nquorum union-press-university",
           logs=(FIRST, SECOND), witnesses=(UNION, PRESS, UNIVERSITY)):
    lines = ["# Keys that these files are checked with.", ""]
    lines += [f"log {signer.key.text()}" for signer in logs]
    lines += [f"witness\t{s.key.name.split('/')[-1]}  {s.key.text()} https://{s.key.name}" for s in witnesses]
    return "\n".join(lines + [quorum]) + "\n"


POLICIES = {
    "two-of-three": policy(),
    "no-witness": policy("quorum none", witnesses=()),
    "union": policy("quorum union"),
    "all": policy("group everybody all union press university\nquorum everybody"),
    "nested": policy("group press-university any press university\ngroup both all union press-university\n"
                     "quorum both"),
    "stranger": policy(logs=(STRANGER,)),
    "retired": policy(logs=(FIRST,)),
    "newest": policy(logs=(SECOND,)),
}


def uuid(*words):
    digest = hashlib.sha256("/".join(map(str, words)).encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-7{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"


class Log:
    """A log as an operator keeps it who holds the keys: leaves, documents, and what was signed when."""

    def __init__(self, size, rotate_at=None, name="works", origin=ORIGIN, keys=(FIRST, SECOND)):
        self.origin, self.keys, self.rotate_at = origin, keys, rotate_at
        self.leaves, self.documents, self.newest = [], [], {}
        self.policy, self.witnesses = POLICIES["two-of-three"], (UNION, PRESS)
        for index in range(size):
            self.add(index, name)

    # Growing

    def add(self, index, name):
        if index == 0 or index == self.rotate_at:
            return self.leaves.append(canonical(self.key_leaf(index)))
        step = index % 8
        if step in (1, 4, 0):
            return self.notice(uuid(name, "notice", step), index)
        if step in (2, 5, 6):
            return self.processing(uuid(name, "processing", index // 8 % 2), index)
        if step == 3:
            day = f"2026-{index // 28 % 12 + 1:02}-{index % 28 + 1:02}"
            root = base64url(hashlib.sha256(f"heads {index}".encode()).digest())
            return self.leaves.append(canonical({"v": 1, "t": "report", "day": day, "root": root}))
        if index % 16 == 15:
            commitment = base64url(hashlib.sha256(f"decision {index}".encode()).digest())
            return self.leaves.append(canonical({"v": 1, "t": "consent", "commitment": commitment}))
        # A type that is still to come, with whatever JSON can hold.
        title = f"Für ein Büro ohne Wanzen \u2028\"{index}\"\\ \u000f\n\t \U0001f600"
        later = {"v": 1, "t": "forecast", "title": title, "\U0001f600": None, "ﬀ": [True, {}, [], -index]}
        self.leaves.append(canonical(later))

    def key_leaf(self, index):
        first = index != self.rotate_at
        signer, own = (self.keys[0], self.keys[0]) if first else self.keys
        return key_leaf(signer, own, self.origin, None if first else signer.public, self.time(index))

    @staticmethod
    def time(index):
        minutes = index % 1440
        return f"2026-09-{index // 1440 + 21:02}T{minutes // 60:02}:{minutes % 60:02}:00Z"

    def notice(self, notice, index):
        major = len([d for d in self.documents if d[1].get("notice") == notice]) + 1
        text = f"# Was gezählt wird\n\nFassung {major}: Tastenanschläge, nie ihr Inhalt. {index}"
        content = {"notice": notice, "version": f"{major}.0", "texts": [{"language": "de", "markdown": text}],
                   "acknowledgement_wanted": True, "reason": None, "hours": 7.5 * major}
        change = "published" if major == 1 else ("corrected" if index % 2 else "changed")
        self.link(notice, {"t": "notice", "notice": notice, "version": f"{major}.0", "change": change}, content)

    def processing(self, processing, index):
        revision = index // 16 + 1
        content = {"processing": processing, "revision": revision, "retention": "30 Tage",
                   "fields": {"דּ": "x", "\U0001f600": 1, "€": 1e-7, "\r": index, "1": 1e21}}
        types = {2: "register", 5: "pause", 6: "resume"}
        leaf = {"t": types[index % 8], "processing": processing, "revision": revision}
        if leaf["t"] == "register":
            leaf["change"] = "activated" if processing not in self.newest else "revised"
        self.link(processing, leaf, content)

    def link(self, chain, leaf, content):
        digest = base64url(hashlib.sha256(canonical(content)).digest())
        leaf = {"v": 1, **leaf, "previous": self.newest.get(chain), "content": digest}
        self.leaves.append(canonical(leaf))
        self.newest[chain] = base64url(leaf_hash(self.leaves[-1]))
        if len(self.leaves) % 7 or leaf["t"] == "notice":  # the others are withheld
            self.documents.append((len(self.leaves) - 1, content))

    # Signing

    def signer(self, size):
        return self.keys[1] if self.rotate_at is not None and size > self.rotate_at else self.keys[0]

    def checkpoint(self, size, root=None, signer=None, witnesses=()):
        root = root or Tree([leaf_hash(leaf) for leaf in self.leaves]).root(size)
        return note(self.origin, size, root, [signer or self.signer(size), *witnesses])

    def export(self, older=()):
        size = len(self.leaves)
        return {
            "header": {"format": "daylight-log/v1", "origin": self.origin, "policy": self.policy,
                       "checkpoint": self.checkpoint(size, witnesses=self.witnesses), "withheld": self.withheld()},
            "leaves": list(self.leaves),
            "hashes": [leaf_hash(leaf) for leaf in self.leaves],
            "older": [self.checkpoint(size) for size in older],
            "documents": copy.deepcopy(self.documents),
        }

    def withheld(self):
        there = {index for index, _ in self.documents}
        return sum(b'"content":"' in leaf and index not in there for index, leaf in enumerate(self.leaves))

    def proof(self, index, size=None):
        size = size or len(self.leaves)
        path = Tree([leaf_hash(leaf) for leaf in self.leaves]).path(index, size)
        checkpoint = self.checkpoint(size, witnesses=self.witnesses)
        return proof(self.leaves[index], index, path, checkpoint)


def key_leaf(signer, own, origin, previous, time):
    message = f"daylight-key/v1\n{origin}\nlog\n{own.public}\n{time}\n"
    return {"v": 1, "t": "key", "role": "log", "origin": origin, "public_key": own.public, "from": time,
            "previous": previous, "signature": base64url(signer.secret.sign(message.encode()))}


def note(origin, size, root, signers):
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    return f"{text}\n" + "".join(signer.line(text, TIME + 60 * size) for signer in signers)


def proof(leaf, index, path, checkpoint):
    lines = ["c2sp.org/tlog-proof@v1", f"extra {base64.b64encode(leaf).decode()}", f"index {index}"]
    lines += [base64.b64encode(sibling).decode() for sibling in path]
    return "\n".join(lines) + "\n\n" + checkpoint


def write(export):
    hashes = export["hashes"]
    tiles = [b"".join(hashes[i:i + TILE]) for i in range(0, len(hashes), TILE)]
    counts = {"leaves": len(export["leaves"]), "tiles": len(tiles), "checkpoints": len(export["older"]),
              "documents": len(export["documents"])}
    header = {**counts, **export["header"]}
    order = ["format", "origin", "policy", "checkpoint", "leaves", "tiles", "checkpoints", "documents", "withheld"]
    dump = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    lines = [dump({name: header[name] for name in order}), *export["leaves"]]
    lines += [base64.b64encode(tile) for tile in tiles]
    lines += [dump(checkpoint) for checkpoint in export["older"]]
    lines += [dump({"leaf": index, "content": content}) for index, content in export["documents"]]
    return b"\n".join(lines) + b"\n"


class Folder:
    """Where the files go, with what is expected of each."""

    def __init__(self, path):
        self.path, self.expected = path, {}
        path.mkdir(parents=True, exist_ok=True)
        for name, text in POLICIES.items():
            (path / f"{name}.policy").write_text(text)

    def add(self, name, about, data, exit=1, leaf=None, between=None, words=(), **files):
        """`policy`, `since` and `proof` name files to give beside this one; `policy=None`: the export's own."""
        assert name not in self.expected, name
        files.setdefault("policy", "two-of-three.policy")
        files = {key: value for key, value in files.items() if value is not None}
        self.expected[name] = {"about": about, "exit": exit, "leaf": leaf, "words": list(words),
                               "between": between and list(between), **files}
        self.put(name, data)

    def put(self, name, data):
        data = data if isinstance(data, bytes) else data.encode()
        (self.path / name).write_bytes(data)

    def finish(self):
        text = json.dumps(self.expected, ensure_ascii=False, indent=1)
        (self.path / "expected.json").write_text(text + "\n")
        print(f"{len(self.expected)} files")
        return 0


def generate(path):
    import forge_petitions
    import spoil

    folder = Folder(path)
    holding(folder)
    spoil.everything(folder)
    forge_petitions.everything(folder)
    return folder.finish()


# Logs that hold -------------------------------------------------------------------------------------------


def holding(folder):
    quorums = {1: "no-witness", 2: "union", 3: "all", 700: "nested"}
    for size in (1, 2, 3, 255, 256, 257, 700):
        log = Log(size, rotate_at=None if size < 3 else max(2, size // 2))
        name = quorums.get(size, "two-of-three")
        log.policy = POLICIES[name]
        log.witnesses = {1: (), 2: (UNION,), 3: (UNION, PRESS, UNIVERSITY)}.get(size, (UNION, PRESS))
        older = [n for n in (1, 2, 3, 128, 129, 255, 256, 257, 511, 512, 513) if n < size]
        folder.add(f"holds-{size}.export", f"a log of {size}", write(log.export(older)), 0,
                   policy=f"{name}.policy")
        for index in sorted({0, size // 2, size - 1}):
            folder.add(f"holds-{size}-{index}.tlog-proof", f"leaf {index} of {size}", log.proof(index), 0,
                       policy=f"{name}.policy", export=f"holds-{size}.export")
    log = Log(257, rotate_at=128)
    export = write(log.export([1, 256]))
    folder.add("holds-own-policy.export", "without a policy of one's own", export, 0, words=["own word"],
               policy=None)
    for name in ("retired", "newest"):
        folder.add(f"holds-{name}.export", f"the policy names the {name} key alone", export, 0,
                   policy=f"{name}.policy")
    folder.put("at-200.checkpoint", log.checkpoint(200))
    folder.add("holds-since.export", "continues an older checkpoint", export, 0, since="at-200.checkpoint")
    folder.add("holds-old-proof.tlog-proof", "a proof made when the log was smaller", log.proof(7, 100), 0,
               export="holds-own-policy.export")
    unknown = log.export([200])
    unknown["older"][0] += Signer("witness.example.org/unknown", WITNESS_KEY).line("anything", TIME)
    folder.add("holds-unknown-signature.export", "signatures of unknown keys don't count", write(unknown), 0,
               words=["not checked by this version"])
    lost, word, unknown = "the last {} are lost", "operator's word", "announced among what was lost"
    former = first_log()
    for size in (12, 16, 20):
        folder.put(f"former-{size}.checkpoint", former.checkpoint(size))
    folder.put("former-unknown.checkpoint", former.checkpoint(12, signer=former.keys[1]))

    def add(name, about, log, words, older=(), **files):
        export = log.export([24])
        export["older"] = [*older, *export["older"]]
        folder.add(f"holds-again{name}.export", about, write(export), 0, words=words, **files)

    add("", "a log that began again after a restore", again(), ["began again", lost.format(0), "2 logs"])
    add("-lost", "and lost entries", again(16), [lost.format(4), word])
    older = [former.checkpoint(size) for size in (12, 16, 20)]
    add("-older", "with the former log's checkpoints", again(16), [lost.format(4)], older)
    add("-older-12", "with one that covers a part of what was kept", again(16), [lost.format(4), word], older[:1])
    add("-older-unknown", "with one by a key that isn't known", again(16), [word, unknown],
        [former.checkpoint(12, signer=former.keys[1])])
    add("-since", "a checkpoint of the former log", again(16), [], since="former-12.checkpoint")
    add("-since-all", "a checkpoint of all that was kept", again(16), [], since="former-16.checkpoint")
    add("-since-unknown", "a checkpoint of the former log by a key that isn't known", again(16), [unknown],
        since="former-unknown.checkpoint")
    add("-last-unknown", "the former log's last checkpoint is by a key that isn't known",
        again(16, signer=former.keys[1]), [lost.format(4), word, unknown])
    add("-nothing", "nothing was kept", again(0, tail=30), [lost.format(20), unknown])
    twice = again(25, first=again(16, key=MIDDLE))
    folder.add("holds-again-twice.export", "a log that began again twice", write(twice.export()), 0,
               words=[FORMER, MIDDLE.key.name, lost.format(4), "3 logs"])
    for kept in (10, 1):
        short = again(kept, first=again(16, key=MIDDLE))
        folder.add(f"holds-again-twice-{kept}.export", f"and kept {kept} leaves at last", write(short.export()), 0,
                   words=[lost.format(20 - kept + 1), word])
    folder.add("holds-again-twice-since.export", "a checkpoint of the first of three logs", write(twice.export()), 0,
               since="former-12.checkpoint")


def first_log():
    return Log(20, origin=FORMER, keys=tuple(Signer(FORMER, seed=seed) for seed in ("former", "lost")), name="former")


def again(kept=20, tail=12, signer=None, first=None, key=FIRST):
    """A log that began again after a restore, and kept the former one's first leaves."""
    former = first or first_log()
    log = Log(0, origin=key.key.name, keys=(key, key))
    last = former.checkpoint(len(former.leaves), signer=signer)
    log.leaves.append(canonical({"v": 1, "t": "log", "origin": log.origin, "previous": last, "kept": kept}))
    log.leaves += former.leaves[:kept]
    log.documents = [(index + 1, content) for index, content in former.documents if index < kept]
    for index, leaf in enumerate(log.leaves):
        value = json.loads(leaf)
        log.newest[value.get("notice") or value.get("processing")] = base64url(leaf_hash(leaf))
    log.leaves.append(canonical(key_leaf(log.keys[0], log.keys[0], log.origin, None, Log.time(21))))
    for index in range(len(log.leaves), len(log.leaves) + tail):
        log.add(index, "former")
    return log
