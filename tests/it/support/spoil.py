"""Logs in which one thing is wrong: what somebody could do to the file, to the database, or with the keys."""

import base64
import copy
import json

from forge import (
    FIRST, MIDDLE, POLICIES, PRESS, SECOND, STRANGER, TIME, UNION, UNIVERSITY, Log, Signer, again, first_log,
    key_leaf, note, policy, proof, write,
)
from verify import Tree, base64url, canonical, leaf_hash

SIZE, ROTATED = 40, 20
OLDER = [5, 12, 21, 33]
LATER = 30  # a leaf behind the older checkpoint at 21 and before the one at 33


def everything(folder):
    for spoil in (bits, header_and_counts, signatures, leaves_moved, rows_edited, histories, not_canonical,
                  wrong_members, keys, chains, documents, restored, proofs):
        spoil(folder)


def base():
    return Log(SIZE, rotate_at=ROTATED)


def flipped(text, at=None):
    """The text with the lowest bit of one character changed, so that it stays one printable character."""
    at = len(text) // 2 if at is None else at
    while text[at] in '!"#\\]/.\n' or ord(text[at]) > 126:
        at += 1
    return text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1:]


# Files changed without the keys ---------------------------------------------------------------------------


def bits(folder):
    """One bit in each field of each kind of leaf, of the checkpoint, of tiles and documents."""
    log = base()
    whole = log.export(OLDER)
    seen = set()
    for index, leaf in enumerate(log.leaves):
        value = json.loads(leaf)
        if value["t"] in seen or value.get("previous", "") is None:
            continue
        seen.add(value["t"])
        for member in value:
            spoiled = copy.deepcopy(whole)
            text = leaf.decode()
            token = json.dumps(member, ensure_ascii=False) + ":"
            start = text.index(token) + len(token)
            start += text[start] == '"'
            spoiled["leaves"][index] = flipped(text, start).encode()
            name = member if member.isascii() else f"member-{ord(member[0]):x}"
            folder.add(f"bit-{value['t']}-{name}.export", f"one bit of {member} in leaf {index}", write(spoiled),
                       leaf=index)
    checkpoint = whole["header"]["checkpoint"]
    lines = checkpoint.split("\n")
    places = {"origin": 0, "size": 1, "root": 2, "log-signature": 4, "witness-signature": 5}
    for name, line in places.items():
        spoiled = copy.deepcopy(whole)
        spoiled["header"]["checkpoint"] = bit_of_line(lines, line)
        folder.add(f"bit-checkpoint-{name}.export", f"one bit of the checkpoint's {name}", write(spoiled))
    for name, line, at in (("log-name", 4, 4), ("witness-name", 5, 4), ("log-key-id", 4, -1),
                           ("witness-key-id", 5, -1)):
        spoiled = copy.deepcopy(whole)
        spoiled["header"]["checkpoint"] = bit_of_line(lines, line, at)
        words = ["quorum"] if name.startswith("witness") else ["signature"]
        folder.add(f"bit-checkpoint-{name}.export", f"one bit of the {name}: an unknown key", write(spoiled),
                   words=words)
    for name, line in list(places.items())[:4]:
        spoiled = copy.deepcopy(whole)
        spoiled["older"][2] = bit_of_line(spoiled["older"][2].split("\n"), line)
        folder.add(f"bit-older-{name}.export", f"one bit of an older checkpoint's {name}", write(spoiled))
    spoiled = copy.deepcopy(whole)
    spoiled["hashes"][17] = bytes([spoiled["hashes"][17][0] ^ 1]) + spoiled["hashes"][17][1:]
    folder.add("bit-tile.export", "one bit of a tile", write(spoiled), leaf=17)
    index, content = whole["documents"][3]
    for member in content:
        spoiled = copy.deepcopy(whole)
        value = content[member]
        changed = {str: lambda: flipped(value, 0), bool: lambda: not value, int: lambda: value ^ 1,
                   float: lambda: value + 1, type(None): lambda: "", list: list, dict: dict}
        spoiled["documents"][3] = (index, {**content, member: changed[type(value)]()})
        folder.add(f"bit-document-{member}.export", f"{member} of a document", write(spoiled), leaf=index,
                   words=["document"])
    spoiled = copy.deepcopy(whole)
    spoiled["documents"][3] = (index ^ 1, content)
    folder.add("bit-document-leaf.export", "a document under another leaf", write(spoiled), leaf=index ^ 1,
               words=["document"])


def bit_of_line(lines, number, at=None):
    """A bit in the middle of a line; of a base64 word, a bit of its data (-1: of the key's id)."""
    words = lines[number].split(" ")
    if len(words) == 3 and (at is None or at < 0):
        data = bytearray(base64.b64decode(words[2]))
        data[0 if at == -1 else 40] ^= 1
        words[2] = base64.b64encode(data).decode()
    elif number == 2:
        data = bytearray(base64.b64decode(words[0]))
        data[9] ^= 1
        words[0] = base64.b64encode(data).decode()
    else:
        place = -1 if len(words) == 1 else 1
        words[place] = flipped(words[place], at if len(words) > 1 else 0)
    return "\n".join(lines[:number] + [" ".join(words)] + lines[number + 1:])


def header_and_counts(folder):
    whole = base().export(OLDER)
    for member in ("format", "origin", "leaves", "tiles", "checkpoints", "documents"):
        spoiled = copy.deepcopy(whole)
        count = {"leaves": SIZE, "tiles": 1, "checkpoints": len(OLDER), "documents": len(whole["documents"])}
        value = count[member] ^ 1 if member in count else flipped(spoiled["header"][member])
        spoiled["header"][member] = value
        folder.add(f"bit-header-{member}.export", f"one bit of the header's {member}", write(spoiled),
                   exit=1 if member == "origin" else 2)
    spoiled = copy.deepcopy(whole)
    key = FIRST.key.text()
    spoiled["header"]["policy"] = spoiled["header"]["policy"].replace(key, flipped(key, len(key) - 20))
    folder.add("bit-header-policy.export", "one bit of a key in the export's own policy", write(spoiled), exit=2,
               policy=None)
    data = write(whole)
    folder.add("cut-short.export", "the file's end is missing", data[:len(data) // 2], exit=2)
    folder.add("no-last-newline.export", "the last line isn't ended", data[:-1], exit=2)
    folder.add("not-an-export.export", "something else", b"hello\n", exit=2)
    folder.add("empty.export", "nothing", b"", exit=2)
    lines = data.split(b"\n")
    folder.add("line-dropped.export", "a line less than the header says", b"\n".join(lines[:9] + lines[10:]), exit=2)


def signatures(folder):
    log = base()
    folder.add("stranger.export", "the policy names another log's key", write(log.export(OLDER)),
               policy="stranger.policy", words=["signature"])
    folder.add("no-quorum-all.export", "two of three where all are asked for", write(log.export(OLDER)),
               policy="all.policy", words=["quorum"])
    log.witnesses = (PRESS,)
    folder.add("no-quorum.export", "one of three where two are asked for", write(log.export(OLDER)), words=["quorum"])
    log.witnesses = (PRESS, PRESS)
    folder.add("same-witness-twice.export", "one witness twice where two are asked for", write(log.export(OLDER)),
               words=["quorum"])
    log.witnesses = (PRESS, UNIVERSITY)
    folder.add("no-quorum-nested.export", "a group is there, the one beside it isn't", write(log.export(OLDER)),
               policy="nested.policy", words=["quorum"])
    log.witnesses = ()
    folder.add("no-witness-asked.export", "no witness, where none is asked for", write(log.export(OLDER)), exit=0,
               policy="no-witness.policy")
    folder.add("no-witness-at-all.export", "no witness, where two are asked for", write(log.export(OLDER)),
               words=["quorum"])
    log.witnesses = (UNION, PRESS)
    spoiled = log.export(OLDER)
    spoiled["header"]["checkpoint"] = log.checkpoint(SIZE, signer=FIRST, witnesses=log.witnesses)
    folder.add("retired-key.export", "signed by the key before", write(spoiled), words=["signature"])
    spoiled = log.export(OLDER)
    spoiled["older"][3] = log.checkpoint(OLDER[3], signer=FIRST)
    folder.add("retired-key-older.export", "an older checkpoint signed by the key before", write(spoiled),
               words=["signature"])
    spoiled = log.export(OLDER)
    spoiled["older"][0] = log.checkpoint(OLDER[0], signer=SECOND)
    folder.add("key-before-its-time.export", "an older checkpoint signed by a key that came later", write(spoiled),
               words=["signature"])
    spoiled = log.export(OLDER)
    wrong = Tree([leaf_hash(leaf) for leaf in log.leaves[:SIZE - 1]]).root(SIZE - 1)
    other = note(log.origin, SIZE, wrong, [PRESS]).split("\n\n")[1]
    own = log.checkpoint(SIZE, witnesses=(UNION,))
    spoiled["header"]["checkpoint"] = own + other
    folder.add("witness-of-another-root.export", "a witness signed another root", write(spoiled))


def leaves_moved(folder):
    for size, drop in ((SIZE, 17), (700, 300), (257, 255)):
        log = Log(size, rotate_at=ROTATED)
        spoiled = log.export(OLDER)
        del spoiled["leaves"][drop]
        spoiled["documents"] = []
        if -(-size // 256) == -(-(size - 1) // 256):
            folder.add(f"dropped-{size}.export", f"leaf {drop} of {size} is left out", write(spoiled), leaf=drop,
                       words=["missing"])
        spoiled = log.export(OLDER)
        spoiled["leaves"][3], spoiled["leaves"][drop] = spoiled["leaves"][drop], spoiled["leaves"][3]
        folder.add(f"swapped-{size}.export", f"leaves 3 and {drop} change places", write(spoiled), leaf=3,
                   words=["moved"])
        spoiled = log.export(OLDER)
        spoiled["leaves"][drop] = spoiled["leaves"][drop - 1]
        folder.add(f"overwritten-{size}.export", f"leaf {drop - 1} stands also in the place of {drop}",
                   write(spoiled), leaf=drop, words=["twice", "missing"])
    log = Log(255, rotate_at=ROTATED)
    spoiled = log.export(OLDER)
    spoiled["leaves"].insert(17, spoiled["leaves"][16])
    spoiled["documents"] = []
    folder.add("duplicated.export", "leaf 16 is there twice, the rest behind it", write(spoiled), leaf=17,
               words=["twice"])
    spoiled = log.export(OLDER)
    spoiled["leaves"].pop()
    spoiled["documents"] = []
    folder.add("dropped-last.export", "the last leaf is left out", write(spoiled), leaf=254, words=["missing"])
    for older, leaf, between in ((OLDER, None, (33, 254)), ([*OLDER, 254], 254, None)):
        spoiled = log.export(older)
        for part in ("leaves", "hashes"):
            del spoiled[part][-1]
        spoiled["documents"] = []
        folder.add(f"dropped-last-with-hash-{len(older)}.export", "the last leaf and its hash are left out",
                   write(spoiled), leaf=leaf, between=between, words=["missing"])


# Rows changed in the database -----------------------------------------------------------------------------


def rows_edited(folder):
    log = base()
    altered = log.leaves[LATER].replace(b'"content":"', b'"content":"A')
    altered = altered.replace(b'"content":"A' + altered.split(b'"content":"A')[1][:1], b'"content":"A')
    assert len(altered) == len(log.leaves[LATER]) and altered != log.leaves[LATER]
    spoiled = log.export(OLDER)
    spoiled["leaves"][LATER] = altered
    folder.add("row-bytes.export", "a leaf's bytes are changed in its row", write(spoiled), leaf=LATER)
    for older, leaf, between in ((OLDER, None, [21, 32]), ([21, LATER, LATER + 1, 33], LATER, None),
                                 ([], None, [0, SIZE - 1]), ([5, 21], None, [21, SIZE - 1])):
        spoiled = log.export(older)
        spoiled["leaves"][LATER], spoiled["hashes"][LATER] = altered, leaf_hash(altered)
        place = f"older checkpoints at {older}" if older else "no older checkpoint"
        folder.add(f"row-bytes-and-hash-{len(older)}-{leaf or 0}.export", f"bytes and hash are changed; {place}",
                   write(spoiled), leaf=leaf, between=between)
    spoiled = log.export(OLDER)
    index, content = spoiled["documents"][-2]
    spoiled["documents"][-2] = (index, {**content, "reason": "It was always so."})
    folder.add("row-document.export", "a published document is changed in its row", write(spoiled), leaf=index,
               words=["document"])
    spoiled = log.export(OLDER)
    for part in ("leaves", "hashes"):
        del spoiled[part][17]
    spoiled["documents"] = []
    folder.add("row-deleted.export", "a row is deleted, and the tree built anew", write(spoiled),
               between=[12, 20])


# The operator's keys, used against the log ----------------------------------------------------------------


def histories(folder):
    log, other = base(), base()
    for index in range(LATER, SIZE):
        other.leaves[index] = canonical({"v": 1, "t": "report", "day": "2026-10-01",
                                         "root": base64url(leaf_hash(b"%d" % index))})
    other.documents = [(index, content) for index, content in other.documents if index < LATER]
    folder.put("at-36.checkpoint", log.checkpoint(36))
    folder.put("at-25.checkpoint", log.checkpoint(25))
    folder.put("at-40.checkpoint", log.checkpoint(SIZE))
    folder.add("fork-before.export", "a fork, seen from before it", write(other.export(OLDER)), exit=0,
               since="at-25.checkpoint")
    for size in (36, 40):
        folder.add(f"fork-{size}.export", "a fork, seen by somebody who kept a checkpoint",
                   write(other.export(OLDER)), since=f"at-{size}.checkpoint", words=["same tree"])
    spoiled = other.export(OLDER)
    spoiled["older"][3] = log.checkpoint(33)
    folder.add("fork-inside.export", "an older checkpoint of the other branch", write(spoiled), words=["same tree"])
    spoiled = log.export([5, 12, 33])
    spoiled["older"].insert(2, other.checkpoint(33))
    folder.add("two-roots.export", "two roots at one size", write(spoiled), words=["root"])
    spoiled = log.export(OLDER)
    spoiled["older"].append(other.checkpoint(SIZE))
    folder.add("two-roots-newest.export", "another root at the newest size", write(spoiled), words=["two roots"])
    short = Log(LATER, rotate_at=ROTATED)
    folder.add("rolled-back-since.export", "a shorter log than before", write(short.export([5, 12])),
               since="at-36.checkpoint", words=["rolled back"])
    spoiled = short.export([5, 12])
    spoiled["older"].append(log.checkpoint(33))
    folder.add("rolled-back.export", "an older checkpoint is larger than the newest", write(spoiled),
               words=["rolled back"])
    spoiled = log.export(OLDER)
    spoiled["header"]["checkpoint"] = log.checkpoint(33, witnesses=log.witnesses)
    folder.add("rolled-back-newest.export", "the newest checkpoint is an old one", write(spoiled),
               words=["rolled back"])


def resigned(folder, name, about, change, leaf, words=(), older=OLDER, **files):
    """`change` alters the log; then hashes, tree, checkpoints and cosignatures are made anew."""
    log = base()
    change(log)
    for index, content in log.documents:
        assert index < len(log.leaves), content
    folder.add(name, f"{about}; all signed anew", write(log.export(older)), leaf=leaf, words=words, **files)


def replaced(index, old, new, count=1):
    def change(log):
        assert old in log.leaves[index], log.leaves[index]
        log.leaves[index] = log.leaves[index].replace(old, new, count)
        log.documents = [document for document in log.documents if document[0] != index]

    return change


LAST_FORECAST, LAST_REPORT, LAST_CONSENT = 39, 35, 31


def not_canonical(folder):
    """Leaf 39 is of a type without a chain or document, so that nothing else is wrong."""
    ways = {
        "keys-in-another-order": (b'"t":"forecast",', b'', b'"v":1', b'"v":1,"t":"forecast"'),
        "space": (b'"v":1', b'"v": 1'),
        "space-at-the-end": (b'-39]}', b'-39]} '),
        "duplicate-key": (b'"v":1', b'"v":1,"v":1'),
        "duplicate-key-unlike": (b'"t":"forecast"', b'"t":"report","t":"forecast"'),
        "number-with-point": (b'"v":1', b'"v":1.0'),
        "number-with-exponent": (b'"v":1', b'"v":1e0'),
        "minus-zero": (b'-39', b'-0'),
        "leading-zero": (b'-39', b'-039'),
        "escaped-letter": (b'forecast', b'fore\\u0063ast'),
        "escaped-slash": (b'forecast', b'fore\\/cast'),
        "upper-case-escape": (b'\\u000f', b'\\u000F'),
        "long-escape": (b'\\n', b'\\u000a'),
        "lone-surrogate": (b'forecast', b'fore\\ud800cast'),
        "raw-control-character": (b'\\t', b'\t'),
        "not-json": (b'"v":1', b'"v":'),
    }
    for name, steps in ways.items():
        def change(log, steps=steps):
            for old, new in zip(steps[::2], steps[1::2]):
                replaced(LAST_FORECAST, old, new)(log)

        resigned(folder, f"canonical-{name}.export", f"not canonical: {name}", change, LAST_FORECAST, ["canonical"])
    for name, new in (("float", b"2.5"), ("too-large", b"9007199254740992"), ("too-small", b"-9007199254740992")):
        resigned(folder, f"canonical-{name}.export", f"a number that no leaf may hold: {name}",
                 replaced(LAST_FORECAST, b"-39", new), LAST_FORECAST)
    resigned(folder, "canonical-nested-float.export", "a float inside a list",
             replaced(LAST_FORECAST, b"[true,", b"[0.1,"), LAST_FORECAST)

    def long(size):
        def change(log):
            leaf = json.loads(log.leaves[LAST_FORECAST])
            leaf["title"] = ""
            leaf["title"] = "x" * (size - len(canonical(leaf)))
            log.leaves[LAST_FORECAST] = canonical(leaf)
        return change

    resigned(folder, "longest-leaf.export", "a leaf of 65,535 bytes", long(65_535), None, exit=0)
    resigned(folder, "too-long-leaf.export", "a leaf of 65,536 bytes", long(65_536), LAST_FORECAST)


def wrong_members(folder):
    def member(index, **changes):
        def change(log):
            value = {**json.loads(log.leaves[index]), **changes}
            log.leaves[index] = canonical({key: v for key, v in value.items() if v != "-"})
        return change

    cases = {
        "missing": ("a report without its root", {"root": "-"}),
        "extra": ("a report with a member more", {"note": "x"}),
        "short-hash": ("a hash that is too short", {"root": "AAAA"}),
        "padded-hash": ("a hash with padding", {"root": "A" * 43 + "="}),
        "hash-number": ("a number where a hash belongs", {"root": 7}),
    }
    for name, (about, changes) in cases.items():
        resigned(folder, f"members-{name}.export", about, member(LAST_REPORT, **changes), LAST_REPORT)
    commitment = "A" * 43
    consents = {
        "missing": ("a consent leaf without its commitment", {"commitment": "-"}),
        "state": ("a consent leaf that says what was decided", {"state": "refused"}),
        "person": ("a consent leaf that says whose it is", {"person_ref": "x"}),
        "short": ("a commitment that is a byte too short", {"commitment": commitment[:-1]}),
        "long": ("a commitment that is a byte too long", {"commitment": commitment + "A"}),
        "last-bits": ("a commitment in another form than its one right one", {"commitment": commitment[:-1] + "B"}),
        "null": ("a commitment that is null", {"commitment": None}),
    }
    for name, (about, changes) in consents.items():
        resigned(folder, f"consent-{name}.export", about, member(LAST_CONSENT, **changes), LAST_CONSENT)
    resigned(folder, "consent-other.export", "another commitment, signed: nobody but its holder could tell",
             member(LAST_CONSENT, commitment=commitment), None, exit=0)
    resigned(folder, "members-unknown-type.export", "a type that is still to come",
             member(LAST_REPORT, t="weather"), None, ["not checked by this version"], exit=0)
    resigned(folder, "members-later-version.export", "a version that is still to come",
             member(LAST_REPORT, v=2), None, ["not checked by this version"], exit=0)


def keys(folder):
    def key(index, *arguments):
        def change(log):
            log.leaves[index] = canonical(key_leaf(*arguments))
        return change

    time, origin = Log.time(ROTATED), base().origin
    resigned(folder, "key-signed-by-itself.export", "a new key that signed itself in",
             key(ROTATED, SECOND, SECOND, origin, FIRST.public, time), ROTATED, ["key"])
    resigned(folder, "key-without-predecessor.export", "a new key as if it were the first",
             key(ROTATED, SECOND, SECOND, origin, None, time), ROTATED, ["key"])
    resigned(folder, "key-of-a-stranger.export", "a new key signed by a key that was never valid",
             key(ROTATED, STRANGER, SECOND, origin, STRANGER.public, time), ROTATED, ["key"])
    resigned(folder, "key-first-not-by-itself.export", "the first key, signed by another",
             key(0, STRANGER, FIRST, origin, None, Log.time(0)), 0, ["key"])
    resigned(folder, "key-time-changed.export", "the time from which a key is valid is changed",
             replaced(ROTATED, time.encode(), Log.time(ROTATED + 1).encode()), ROTATED, ["key"])
    resigned(folder, "key-of-another-log.export", "a key of another log",
             key(LAST_REPORT, SECOND, FIRST, "log.example.com/else", SECOND.public, time), LAST_REPORT, ["key"])

    log = Log(SIZE)
    log.leaves[0] = log.leaves[3]
    folder.add("key-none.export", "a log that doesn't say its key", write(log.export()), words=["key"])
    log = base()
    stranger = log.export(OLDER)
    stranger["header"]["policy"] = policy(logs=(STRANGER,))
    stranger["header"]["checkpoint"] = log.checkpoint(SIZE, signer=STRANGER, witnesses=log.witnesses)
    folder.add("key-own-policy.export", "signed by a key that the export's own policy names and no leaf",
               write(stranger), policy=None, words=["signature"])


def chains(folder):
    log = base()
    values = [json.loads(leaf) for leaf in log.leaves]
    notices = [i for i, v in enumerate(values) if v["t"] == "notice"]
    for name, wanted in (("notice", "notice"), ("register", "register"), ("pause", "pause"), ("resume", "resume")):
        index = [i for i, v in enumerate(values) if v["t"] == wanted and v["previous"]][-1]
        others = [v["previous"] for v in values if v.get("previous") and v["previous"] != values[index]["previous"]]
        for way, new in (("null", None), ("other", others[0])):
            def change(log, index=index, new=new):
                value = {**json.loads(log.leaves[index]), "previous": new}
                log.leaves[index] = canonical(value)

            resigned(folder, f"chain-{name}-{way}.export", f"a {name} whose previous leaf is {way}", change, index,
                     ["previous"])
    first = next(i for i in notices if values[i]["previous"] is None)

    def not_first(log):
        value = {**values[first], "previous": base64url(leaf_hash(log.leaves[0]))}
        log.leaves[first] = canonical(value)

    resigned(folder, "chain-first.export", "a first notice that names a previous one", not_first, first, ["previous"])
    last = notices[-1]

    def renamed(log):
        value = {**values[last], "notice": "00000000-0000-7000-8000-000000000000"}
        log.leaves[last] = canonical(value)

    resigned(folder, "chain-renamed.export", "a notice under another notice's name", renamed, last, ["previous"])
    index = next(i for i in reversed(notices) if i < notices[-3])

    def rewritten(log):
        value = {**values[index], "version": "9.0"}
        log.leaves[index] = canonical(value)

    later = next(i for i in notices if i > index and values[i]["notice"] == values[index]["notice"])
    resigned(folder, "chain-rewritten.export", f"notice {index} is rewritten, and the next one names the old",
             rewritten, later, ["previous"])


def documents(folder):
    def document(index, content):
        def change(log):
            log.documents.append((index, content))
        return change

    resigned(folder, "document-of-a-report.export", "a document of a leaf that commits to none",
             document(LAST_REPORT, {}), LAST_REPORT, ["document"])
    log = base()
    spoiled = log.export(OLDER)
    spoiled["documents"].append((SIZE, {"any": "thing"}))
    folder.add("document-of-no-leaf.export", "a document of a leaf that isn't there", write(spoiled),
               words=["document"])
    index = log.documents[4][0]

    def other(log):
        value = json.loads(log.leaves[index])
        value["content"] = base64url(leaf_hash(b"another document"))
        log.leaves[index] = canonical(value)

    late = [i for i, _ in log.documents if i > 32][-1]
    index = late
    values = [json.loads(leaf) for leaf in log.leaves]
    steps = {kind: next(i for i, _ in log.documents if values[i]["t"] == kind) for kind in
             ("notice", "register", "pause", "resume")}
    withheld = log.withheld()
    first = next(i for i, v in enumerate(values) if "content" in v and i not in dict(log.documents))
    for kind, at in steps.items():
        for about, count in (("withheld by nobody's word", withheld), ("said to be withheld", withheld + 1)):
            holds = kind != "notice" and count > withheld
            spoiled = log.export(OLDER)
            spoiled["documents"] = [document for document in spoiled["documents"] if document[0] != at]
            spoiled["header"]["withheld"] = count
            folder.add(f"document-missing-{kind}-{count}.export", f"the document of {kind} {at} is missing, {about}",
                       write(spoiled), exit=0 if holds else 1,
                       leaf=None if holds else at if kind == "notice" else min(at, first),
                       words=[] if holds else ["missing"])
    for count, about in ((withheld - 1, "less"), (withheld + 1, "more")):
        spoiled = log.export(OLDER)
        spoiled["header"]["withheld"] = count
        folder.add(f"document-withheld-{about}.export", f"{about} are said to be withheld than are missing",
                   write(spoiled), leaf=first, words=["withheld"])
    spoiled = log.export(OLDER)
    spoiled["documents"].append(spoiled["documents"][0])
    folder.add("document-twice.export", "a leaf's document stands there twice", write(spoiled),
               leaf=log.documents[0][0], words=["two documents"])
    resigned(folder, "document-other.export", "a leaf that commits to another document", other, index, ["document"])


def restored(folder):
    log = again()
    former = json.loads(log.leaves[0])["previous"]

    def spoil(name, about, change, **expected):
        log = again()
        change(log)
        folder.add(name, f"{about}; all signed anew", write(log.export()), **expected)

    def misplaced(log):
        log.leaves.append(log.leaves[0])

    def rewritten(log):
        log.leaves[4] = canonical({"v": 1, "t": "report", "day": "2026-10-01", "root": base64url(bytes(32))})

    def kept(number):
        def change(log):
            value = {"v": 1, "t": "log", "origin": log.origin, "previous": former, "kept": number}
            log.leaves[0] = canonical(value)
        return change

    def moved(log):
        log.leaves[1] = log.leaves[0]
        log.documents = [document for document in log.documents if document[0] != 1]

    def foreign(log):
        log.leaves.append(canonical(key_leaf(former_log.keys[0], former_log.keys[1], former_log.origin,
                                             former_log.keys[0].public, Log.time(40))))

    def begun(name, about, log, older=(), **expected):
        export = log.export()
        export["older"] = list(older)
        folder.add(f"again-{name}.export", about, write(export), **expected)

    former_log = first_log()
    older = [former_log.checkpoint(size) for size in (6, 12, 16, 20)]
    changed = again(16)
    rewritten(changed)
    begun("older-rewritten", "a kept leaf is another now, by the former log's checkpoints", changed, older,
          between=[1, 6])
    changed = again(16)
    changed.leaves[12] = canonical({**json.loads(changed.leaves[4]), "day": "2026-10-02"})
    begun("older-rewritten-later", "a later kept leaf is another now", changed, older, between=[7, 12])
    begun("since-rewritten", "a kept leaf is another now, by a checkpoint that somebody kept", changed, older[:1],
          since="former-12.checkpoint", between=[7, 12])
    begun("since-lost", "somebody saw entries that are lost", again(16), since="former-20.checkpoint",
          words=["4 entries of the log you saw were lost"])
    begun("twice-since-lost", "somebody saw entries that were lost before the second beginning",
          again(25, first=again(16, key=MIDDLE)), since="former-20.checkpoint",
          words=["4 entries of the log you saw were lost"])
    begun("older-of-a-stranger", "an older checkpoint of a log that isn't continued here", again(16),
          [note("log.example.com/else", 6, bytes(32), [Signer("log.example.com/else")])], words=["another log"])
    spoil("again-former-key-later.export", "a former log's key among this log's own leaves", foreign,
          leaf=len(log.leaves), words=["key"])
    spoil("again-same-twice.export", "the same beginning at leaf 1 as well", moved, leaf=0)
    spoil("again-misplaced.export", "a former log in the middle of a log", misplaced, leaf=len(log.leaves))
    spoil("again-rewritten.export", "a leaf of the former log is another now", rewritten, leaf=0)
    spoil("again-kept-too-many.export", "more leaves kept than there are", kept(99), leaf=0)
    spoil("again-kept-more-than-signed.export", "more leaves kept than the former log had", kept(21), leaf=0)


def proofs(folder):
    log = base()
    folder.put("proofs.export", write(log.export(OLDER)))
    good = log.proof(17)
    head, checkpoint = good.split("\n\n", 1)
    lines = head.split("\n")

    def add(name, about, text, exit=1, **expected):
        folder.add(f"proof-{name}.tlog-proof", about, text, exit, export="proofs.export", **expected)

    def with_line(number, line):
        return "\n".join(lines[:number] + ([line] if line is not None else []) + lines[number + 1:])

    add("holds", "a proof that holds", good, 0)
    add("magic", "another format", good.replace("@v1", "@v2"), 2)
    add("no-leaf", "the leaf isn't in it", f"{with_line(1, None)}\n\n{checkpoint}", 2)
    add("no-index", "no index", f"{with_line(2, None)}\n\n{checkpoint}", 2)
    add("other-leaf", "another leaf", proof(log.leaves[18], 17, [base64.b64decode(x) for x in lines[3:]], checkpoint))
    for index in (16, 18, 17 + 64, 40):
        add(f"index-{index}", "another index", f"{with_line(2, f'index {index}')}\n\n{checkpoint}")
    for number in range(3, len(lines)):
        data = bytearray(base64.b64decode(lines[number]))
        data[5] ^= 1
        spoiled = with_line(number, base64.b64encode(data).decode())
        add(f"path-{number - 3}", "one bit of the path", f"{spoiled}\n\n{checkpoint}")
    add("path-short", "the path is too short", f"{chr(10).join(lines[:-1])}\n\n{checkpoint}")
    add("path-long", "the path is too long", f"{chr(10).join(lines + lines[-1:])}\n\n{checkpoint}")
    for name, line in (("root", 2), ("log-signature", 4), ("witness-signature", 5)):
        add(name, f"one bit of the {name}", f"{head}\n\n{bit_of_line(checkpoint.split(chr(10)), line)}")
    log.witnesses = (UNION,)
    add("no-quorum", "one witness where two are asked for", log.proof(17), words=["quorum"])
    other = base()
    other.leaves[25] = canonical({"v": 1, "t": "report", "day": "2026-10-01", "root": base64url(bytes(32))})
    add("fork", "a proof of another branch than the export's", other.proof(17), words=["same tree"])
    assert TIME and POLICIES
