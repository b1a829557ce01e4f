"""Logs with petitions: one that holds, and what somebody could do to it who owns the database, a key, or both.

Its token keys come from fixed seeds as well: each prime is the first one after a number that its name gives. The
distances stand here, since finding them takes seconds. Keys of slots that nobody uses are only numbers.
"""

import functools
import hashlib
import json

from forge import FIRST, Log, Signer, uuid, write
from petitions import (
    challenge, epoch_message, issue_message, petition_message, roll_message, sign_message, token_input,
    withdraw_message,
)
from verify import base64url, canonical, leaf_hash

DISTANCES = {
    "2026-Q4 operator 0": (388, 44), "2026-Q4 operator 1": (390, 392), "2026-Q4 operator 2": (532, 2),
    "2026-Q4 representative 0": (748, 1126), "2026-Q4 representative 1": (20, 544),
    "2026-Q4 representative 2": (1416, 2428),
    "2026-Q4.2 operator 1": (480, 74), "2026-Q4.2 representative 1": (376, 1628),
}
NAMES = {"operator": "daylight.example.com", "representative": "council.example.org"}
FIRST_EPOCH, SECOND_EPOCH, GROUP = "2026-Q4", "2026-Q4.2", "all"
ROLL = 8
COUNCIL, NEXT_COUNCIL, OPERATOR, USURPER = (Signer(name) for name in ("council", "next council", "operator", "usurper"))


def digest(*words):
    return hashlib.sha256("/".join(map(str, words)).encode()).digest()


def wide(name):
    return int.from_bytes(b"".join(digest(f"daylight test prime {name} {i}") for i in range(4)), "big")


class TokenKey:
    def __init__(self, epoch, issuer, slot):
        self.epoch, self.issuer, self.slot = epoch, issuer, slot
        name = f"{epoch} {issuer} {slot}"
        p, q = ((wide(f"{name} {which}") | 3 << 1022 | 1) + more
                for which, more in zip("pq", DISTANCES.get(name, (0, 0))))
        self.modulus = p * q
        self.secret = pow(65537, -1, (p - 1) * (q - 1)) if name in DISTANCES else None
        self.bytes = self.modulus.to_bytes(256, "big")

    def token(self, nonce):
        """RSABSSA-SHA384-PSS-Deterministic, with the salt and the blind from the nonce."""
        issued = challenge(NAMES[self.issuer], self.epoch, GROUP, self.slot, FIRST.key.name)
        message = encode_pss(token_input(nonce, issued, self.bytes), hashlib.sha384(b"salt" + nonce).digest())
        blind = int.from_bytes(digest("blind", nonce.hex(), self.bytes.hex()) * 7, "big")
        blinded = message * pow(blind, 65537, self.modulus) % self.modulus  # what the issuer sees
        signed = pow(blinded, self.secret, self.modulus)
        return base64url((signed * pow(blind, -1, self.modulus) % self.modulus).to_bytes(256, "big"))


def encode_pss(message, salt):
    """EMSA-PSS of RFC 8017, for 2047 bits, SHA-384 and a salt of 48 bytes."""
    hashed = hashlib.sha384(bytes(8) + hashlib.sha384(message).digest() + salt).digest()
    block = (b"\x01" + salt).rjust(256 - 48 - 1, b"\0")
    mask = b"".join(hashlib.sha384(hashed + i.to_bytes(4, "big")).digest() for i in range(5))[:len(block)]
    masked = bytearray(a ^ b for a, b in zip(block, mask))
    masked[0] &= 0x7F
    return int.from_bytes(bytes(masked) + hashed + b"\xbc", "big")


@functools.cache
def token_key(epoch, issuer, slot):
    return TokenKey(epoch, issuer, slot)


@functools.cache
def holder(name, epoch, slot):
    return Signer(f"holder {name} {epoch} {slot}")


@functools.cache
def token(name, epoch, slot, issuer):
    """A holder's token; `slot` may be written as (slot of the holder's key, slot of the token)."""
    own, of = slot if isinstance(slot, tuple) else (slot, slot)
    return token_key(epoch, issuer, of).token(holder(name, epoch, own).key.public)


def credential(name, epoch=FIRST_EPOCH, slot=1):
    own = slot[0] if isinstance(slot, tuple) else slot
    return {"key": holder(name, epoch, own).public, "operator": token(name, epoch, slot, "operator"),
            "representative": token(name, epoch, slot, "representative")}


def signed(signer, message):
    return base64url(signer.secret.sign(message.encode()))


def issuer_key(role, own, signer=None, previous=None, origin=FIRST.key.name):
    time = Log.time(1)
    message = f"daylight-key/v1\n{origin}\n{role}\n{own.public}\n{time}\n"
    return {"t": "key", "role": role, "origin": origin, "public_key": own.public, "from": time,
            "previous": previous, "signature": signed(signer or own, message)}


def epoch_leaf(epoch, previous, signer):
    leaf = {"t": "epoch", "epoch": epoch, "group": GROUP, "previous": previous}
    for issuer, name in NAMES.items():
        keys = [base64url(token_key(epoch, issuer, slot).bytes) for slot in range(16)]
        leaf[issuer] = {"name": name, "keys": keys}
    return resigned_epoch(leaf, signer)


def resigned_epoch(leaf, signer=COUNCIL):
    return {**leaf, "signature": signed(signer, epoch_message(FIRST.key.name, leaf))}


def roll_leaf(epoch, version, size, signer=COUNCIL):
    leaf = {"t": "roll", "epoch": epoch, "version": version, "size": size,
            "root": base64url(digest("roll", epoch, version, size))}
    return {**leaf, "signature": signed(signer, roll_message(FIRST.key.name, leaf))}


def issue_leaf(epoch, issuer, index, signer=COUNCIL):
    leaf = {"t": "issue", "epoch": epoch, "issuer": issuer, "index": index, "signature": None,
            "request": base64url(digest("request", epoch, issuer, index))}
    if issuer == "representative":
        leaf["signature"] = signed(signer, issue_message(FIRST.key.name, NAMES[issuer], leaf))
    return leaf


def sign_leaf(petition, name, number=1, epoch=FIRST_EPOCH, slot=1, disclosure="nobody", proof=None):
    mode = "confidential" if disclosure == "nobody" else "named"
    signer = None if mode == "confidential" else base64url(digest("signer", name))
    leaf = {"t": "sign", "petition": petition, "number": number, "mode": mode, "disclosure": disclosure,
            "signer": signer, "credential": proof or credential(name, epoch, slot)}
    own = holder(name, epoch, slot[0] if isinstance(slot, tuple) else slot)
    return {**leaf, "signature": signed(own, sign_message(FIRST.key.name, leaf))}


def withdraw_leaf(petition, name, number, epoch=FIRST_EPOCH, slot=1):
    own = holder(name, epoch, slot)
    leaf = {"t": "withdraw", "petition": petition, "number": number, "key": own.public}
    return {**leaf, "signature": signed(own, withdraw_message(FIRST.key.name, leaf))}


class Story(Log):
    """The petitions of two epochs, with `people` on the roll. `before` puts leaves in before a step, `change` makes a
    step's leaf another."""

    people = ROLL

    def __init__(self, before=None, change=None):
        super().__init__(0, keys=(FIRST, FIRST))
        self.before, self.change, self.at, self.hash = before or {}, change or {}, {}, {}
        self.leaves.append(canonical(self.key_leaf(0)))
        self.issuers()
        self.first_petition()
        self.others()
        self.step("end", None)

    def step(self, label, leaf, content=None):
        if label in self.before:
            self.before[label](self)
        leaf = self.change.get(label, lambda leaf: leaf)(leaf)
        if leaf is None:
            return
        self.at[label] = len(self.leaves)
        self.leaves.append(canonical({"v": 1, **leaf}))
        self.hash[label] = base64url(leaf_hash(self.leaves[-1]))
        if content:
            self.documents.append((self.at[label], content))

    def issuers(self):
        self.step("council", issuer_key("representative", COUNCIL))
        self.step("operator", issuer_key("operator", OPERATOR))
        self.step("epoch", epoch_leaf(FIRST_EPOCH, None, COUNCIL))
        self.step("roll", roll_leaf(FIRST_EPOCH, 1, self.people - 2))
        for index in range(self.people):
            if index == self.people - 2:
                self.step("roll 2", roll_leaf(FIRST_EPOCH, 2, self.people))
            for issuer in NAMES:
                self.step(f"{issuer} {index}", issue_leaf(FIRST_EPOCH, issuer, index))

    def version(self, label, version=1, previous=None, slot=1, author=None, epoch=FIRST_EPOCH, name=None):
        petition = uuid("petition", name or label.split(" ")[0])
        content = {"title": f"Mehr Licht {label}", "demand": f"Fenster, Fassung {version}", "background": ""}
        leaf = {"t": "petition", "petition": petition, "version": version, "previous": previous, "epoch": epoch,
                "slot": slot, "content": base64url(hashlib.sha256(canonical(content)).digest()),
                "author": None, "signature": None}
        if author is not None:
            leaf["author"] = credential(author, epoch, 0)
            message = petition_message(self.origin, leaf)
            leaf["signature"] = signed(holder(author, epoch, 0), message)
        self.step(label, leaf, content)

    def checked(self, label, petition, outcome="opened"):
        content = {"code": "unclear", "words": "Welche Fenster?"} if outcome == "refused" else None
        said = content and base64url(hashlib.sha256(canonical(content)).digest())
        self.step(label, {"t": "check", "petition": self.hash[petition], "outcome": outcome,
                          "code": content and content["code"], "content": said, "threshold": 10,
                          "closes_at": "2026-12-01T00:00:00Z"}, content)

    def first_petition(self):
        self.version("A 1")
        self.step("A early", sign_leaf(self.hash["A 1"], 0))
        self.version("A 2", 2, self.hash["A 1"])
        petition = self.hash["A 2"]
        for name in range(3):
            self.step(f"A by {name}", sign_leaf(petition, name))
        self.checked("A opened", "A 2")
        self.step("A by 3", sign_leaf(petition, 3, disclosure="everyone_with_department"))
        for name in (4, 5):
            self.step(f"A by {name}", sign_leaf(petition, name))
        self.step("A without 0", withdraw_leaf(petition, 0, 2))
        self.step("A without 7", withdraw_leaf(petition, 7, 2))
        self.step("A by 0 again", sign_leaf(petition, 0, 3))
        self.step("A without 2", withdraw_leaf(petition, 2, 2))
        for number in (1, 2):
            content = {"answer": f"Fassung {number}"}
            self.step(f"A answer {number}", {
                "t": "answer", "petition": petition, "number": number, "previous": self.hash.get("A answer 1"),
                "content": base64url(hashlib.sha256(canonical(content)).digest())}, content)
        self.step("A closed", {"t": "close", "petition": petition, "signatures": 5})

    def others(self):
        self.version("B 1", slot=2, author=7)
        self.version("B 2", 2, self.hash["B 1"], slot=2, author=7)
        for name in (1, 2):
            self.step(f"B by {name}", sign_leaf(self.hash["B 2"], name, slot=2))
        self.version("C 1", slot=3)
        self.checked("C refused", "C 1", "refused")
        self.step("next council", issuer_key("representative", NEXT_COUNCIL, COUNCIL, COUNCIL.public))
        self.step("epoch 2", epoch_leaf(SECOND_EPOCH, self.hash.get("epoch"), NEXT_COUNCIL))
        self.step("roll of 2", roll_leaf(SECOND_EPOCH, 1, 3, NEXT_COUNCIL))
        for issuer in NAMES:
            self.step(f"{issuer} of 2", issue_leaf(SECOND_EPOCH, issuer, 2, NEXT_COUNCIL))
        self.version("D 1", epoch=SECOND_EPOCH)
        self.step("D by 0", sign_leaf(self.hash["D 1"], 0, epoch=SECOND_EPOCH))


class Reached(Story):
    """A petition that reaches its threshold, so that the employer's clock starts."""

    people = 12

    def first_petition(self):
        self.version("A 1")
        petition = self.hash["A 1"]
        self.step("A by 0", sign_leaf(petition, 0))
        self.checked("A opened", "A 1")
        for name in range(1, 10):
            self.step(f"A by {name}", sign_leaf(petition, name))
        self.step("A reached", reached_leaf(petition, 10))
        for name in (10, 11):
            self.step(f"A by {name}", sign_leaf(petition, name))
        self.step("A without 0", withdraw_leaf(petition, 0, 2))
        self.step("A closed", {"t": "close", "petition": petition, "signatures": 11})

    def others(self):
        self.version("C 1", slot=3)
        self.checked("C refused", "C 1", "refused")


def reached_leaf(petition, signatures, due="2026-12-29T10:31:00Z"):
    return {"t": "reached", "petition": petition, "signatures": signatures, "answer_due_at": due}


def everything(folder):
    holding(folder)
    for spoil in (stuffed, repeated, one_key_for_two, announced_anew, thresholds, spoiled_issuing, spoiled_life, clocks, refusals,
                  forms):
        spoil(folder)


def holding(folder):
    story = Story()
    older = [3, 20, 30]
    folder.add("petitions-hold.export", "a log with petitions", write(story.export(older)), 0,
               words=["signatures that stand: 5", "packs: 8 by the operator, 8 by the representative", "2026-Q4: 8",
                      "can't tell who runs"])
    for name, count, exit in (("right", 5, 0), ("wrong", 6, 1), ("hidden", None, 1)):
        text = json.dumps({"leaf_hash": story.hash["A 2"], "signatures": count, "title": "Mehr Licht"})
        folder.put(f"petition-{name}.json", text)
        folder.add(f"petitions-displayed-{name}.export", f"a page displayed {count}", write(story.export()), exit,
                   petition=f"petition-{name}.json", words=["displayed"])
    text = json.dumps({"petition_leaf": story.hash["B 2"], "signatures": None})
    folder.put("petition-few.json", text)
    folder.add("petitions-displayed-few.export", "a page displayed none, of two", write(story.export()), 0,
               petition="petition-few.json")
    def fourth(log):
        log.step("A without 3", withdraw_leaf(log.hash["A 2"], 3, 2))

    for count in (4, 0, 5, 3):
        few = Story({"A closed": fourth}, altered("A closed", signatures=count))
        holds = count in (4, 0)
        folder.add(f"petitions-closed-of-4-with-{count}.export", f"closed with {count} where 4 stand",
                   write(few.export()), 0 if holds else 1, leaf=None if holds else few.at["A closed"])
    export = story.export()
    export["documents"] = [d for d in export["documents"] if d[0] != story.at["C 1"]]
    export["header"]["withheld"] = 1
    folder.add("petitions-refused-withheld.export", "the text of a refused petition isn't given", write(export), 0)
    export = story.export()
    at = story.at["A 2"]
    export["documents"] = [(i, {**c, "demand": "Vorhänge"} if i == at else c) for i, c in export["documents"]]
    folder.add("petitions-text.export", "a petition's text is another now", write(export), leaf=at,
               words=["document"])


def add(folder, name, about, label, words=(), before=None, change=None, exit=1, put_in=None, of=Story):
    """`put_in`: a function that gives the leaf to put in before the step `label`, which is then the one named."""
    if put_in:
        before, label = {label: lambda log: log.step("put in", put_in(log))}, "put in"
    story = of(before, change)
    folder.add(f"petitions-{name}.export", f"{about}; all signed anew", write(story.export([3, 20])), exit,
               leaf=story.at[label] if exit else None, words=words)


def altered(label, **members):
    return {label: lambda leaf: {**leaf, **members}}


def stuffed(folder):
    """Signatures that nobody gave."""
    second = lambda log: log.hash["A 2"]

    def signs(name, **options):
        return lambda log: sign_leaf(second(log), name, **options)

    def with_tokens(**tokens):
        proof = {**credential(6), **tokens}
        return signs(6, proof=proof)

    here = "A without 0"
    nothing = base64url(bytes(256))
    cases = {
        "no-tokens": ("without tokens", with_tokens(operator="", representative=""), ["operator's token"]),
        "zero-tokens": ("with tokens of zeros", with_tokens(operator=nothing, representative=nothing),
                        ["operator's token"]),
        "operator-alone": ("with the operator's token twice",
                           with_tokens(representative=token(6, FIRST_EPOCH, 1, "operator")),
                           ["representative's token"]),
        "representative-alone": ("with the representative's token twice",
                                 with_tokens(operator=token(6, FIRST_EPOCH, 1, "representative")),
                                 ["operator's token"]),
        "other-holder": ("with tokens of another key", with_tokens(**{
            issuer: token(5, FIRST_EPOCH, 1, issuer) for issuer in NAMES}), ["token"]),
        "other-slot": ("with the key and tokens of another slot", signs(6, slot=2), ["operator's token"]),
        "other-slot-tokens": ("with this slot's key and another slot's tokens",
                              lambda log: sign_leaf(second(log), 6, proof={
                                  **credential(6), "operator": token(6, FIRST_EPOCH, (1, 2), "operator"),
                                  "representative": token(6, FIRST_EPOCH, (1, 2), "representative")}),
                              ["operator's token"]),
        "second-key": ("by a second slot's key of somebody who signed", signs(1, slot=2), ["operator's token"]),
        "other-epoch": ("with tokens of another epoch", signs(6, epoch=SECOND_EPOCH), ["operator's token"]),
        "unsigned": ("that its key didn't sign", lambda log: {**sign_leaf(second(log), 6), "signature": nothing},
                     ["isn't signed by the key"]),
        "redirected": ("that was given for the version before", lambda log: {
            **sign_leaf(log.hash["A 1"], 6), "petition": second(log)}, ["isn't signed by the key"]),
        "named-afterwards": ("that was given without a name", lambda log: {
            **sign_leaf(second(log), 6), "mode": "named", "disclosure": "everyone",
            "signer": base64url(digest("signer", 6))}, ["isn't signed by the key"]),
        "unfit": ("without a name, shown to everyone", lambda log: {
            **sign_leaf(second(log), 6), "disclosure": "everyone"}, ["don't fit"]),
        "old-version": ("of the version before the edit", lambda log: sign_leaf(log.hash["A 1"], 6),
                        ["newer version"]),
        "unknown-petition": ("of a petition that isn't there", lambda log: sign_leaf(log.hash["roll"], 6),
                             ["no leaf before it"]),
    }
    for name, (about, leaf, words) in cases.items():
        add(folder, f"sign-{name}", f"a signature {about}", here, words, put_in=leaf)
    # An edit that keeps the signatures: the leaf before the edit, after it once more.
    add(folder, "edit-keeps-signatures", "an edited text keeps a signature", "A by 0", ["newer version"],
        put_in=lambda log: sign_leaf(log.hash["A 1"], 3))
    add(folder, "withdraw-by-others", "a withdrawal that its key didn't sign", here, ["isn't signed by the key"],
        put_in=lambda log: {**withdraw_leaf(second(log), 1, 2), "key": holder(3, FIRST_EPOCH, 1).public})
    # More signed than packs were given out: places 5 of the representative, then of both.
    for name, gone in (("representative", ["representative 7"]), ("operator", ["operator 7"])):
        change = {label: lambda leaf: None for label in gone + [name + " 6", name + " 5"]}
        add(folder, f"more-than-issued-{name}", f"more signed than had packs of the {name}", "A by 5",
            [f"5 times by the {name}"], change=change)
    change = {f"{issuer} of 2": lambda leaf: None for issuer in NAMES}
    add(folder, "signed-none-issued", "signed where nobody has a pack", "D by 0", ["0 times"], change=change)
    change = {f"representative {index}": lambda leaf: None for index in range(ROLL)}
    add(folder, "begun-none-issued", "begun without a name where nobody has a pack", "B 1", ["packs"], change=change)


def repeated(folder):
    second = lambda log: log.hash["A 2"]
    here = "A without 2"
    cases = {
        "twice": ("the same signature twice", lambda log: sign_leaf(second(log), 1)),
        "again": ("a signature again, with a lower number", lambda log: sign_leaf(second(log), 0, 2)),
        "replayed": ("a withdrawn signature put in again", lambda log: sign_leaf(second(log), 0, 1)),
        "withdrawal-replayed": ("an old withdrawal put in again", lambda log: withdraw_leaf(second(log), 0, 2)),
        "number-zero": ("a number below 1", lambda log: sign_leaf(second(log), 6, 0)),
    }
    for name, (about, leaf) in cases.items():
        add(folder, f"key-{name}", about, here, ["number doesn't grow"], put_in=leaf)
    add(folder, "key-elsewhere", "a key of another petition, with tokens of its slot", "B by 1", ["operator's token"],
        put_in=lambda log: sign_leaf(log.hash["B 2"], 1, number=9))


def one_key_for_two(folder):
    """Somebody derived one key for two slots, which two blind issuers can't see. They alone could make a log violated
    for ever if that counted; as it is, each petition counts the key once, by tokens of its own slot."""
    both = {"key": holder(6, FIRST_EPOCH, 1).public, **{
        issuer: token(6, FIRST_EPOCH, (1, 2), issuer) for issuer in NAMES}}

    def elsewhere(log):
        log.step("B by 6", sign_leaf(log.hash["B 2"], 6, proof=both))

    first = {"A without 0": lambda log: log.step("A by 6", sign_leaf(log.hash["A 2"], 6, 3)),
             "B by 1": elsewhere}
    add(folder, "key-for-two-slots", "a key that signed two petitions", None, ["signatures that stand: 6",
        "signatures that stand: 3"], first, altered("A closed", signatures=6), exit=0)
    again = {"C 1": lambda log: log.step("put in", sign_leaf(log.hash["B 2"], 6, proof=both))}
    add(folder, "key-for-two-slots-twice", "a key twice under one of its two petitions", "put in",
        ["number doesn't grow"], {**first, **again}, altered("A closed", signatures=6))


def announced_anew(folder):
    """Another representative was connected, or a key was lost: nobody is left to sign for the new one."""
    own = issuer_key("representative", NEXT_COUNCIL)
    words = ["another representative's key was announced here (leaf", "agreed isn't shown by the log"]
    add(folder, "council-anew", "another representative", None, words, change={"next council": lambda _: own}, exit=0)
    operator = issuer_key("operator", USURPER)
    add(folder, "operator-anew", "the operator's key was lost", None,
        ["another key of the operator was announced here (leaf"], exit=0,
        before={"B 1": lambda log: log.step("lost", operator)})

    def back(log):
        log.step("gone", own)
        log.step("back", issuer_key("representative", COUNCIL))

    add(folder, "council-back", "a former representative once more", None, words, {"A 1": back}, exit=0)
    add(folder, "council-anew-former-signs", "a pack by the former representative", "put in", ["representative's key"],
        before={"C 1": lambda log: (log.step("anew", own), log.step(
            "put in", issue_leaf(FIRST_EPOCH, "representative", ROLL - 1)))},
        change={f"representative {ROLL - 1}": lambda _: None, "next council": lambda _: None})
    add(folder, "council-anew-follower-of-former", "a key that follows a former representative's", "put in", ["key"],
        before={"C 1": lambda log: (log.step("anew", own), log.step(
            "put in", issuer_key("representative", USURPER, COUNCIL, COUNCIL.public)))},
        change={"next council": lambda _: None})


def thresholds(folder):
    rule = "a tenth of the roll"
    for size, threshold, holds in ((100, 10, True), (101, 11, True), (101, 10, False), (101, 12, False), (11, 2, False)):
        change = {"roll 2": lambda _, size=size: roll_leaf(FIRST_EPOCH, 2, size),
                  **altered("A opened", threshold=threshold), **altered("C refused", threshold=0)}
        add(folder, f"threshold-{threshold}-of-{size}", f"a threshold of {threshold} for a roll of {size}",
            "A opened", [] if holds else [rule], change=change, exit=0 if holds else 1)
    # What counts is the roll as it is then.
    add(folder, "threshold-before-growth", "a threshold of 10, and a larger roll later", None, exit=0,
        before={"B 1": lambda log: log.step("grown", roll_leaf(FIRST_EPOCH, 3, 500))})
    add(folder, "closes-fraction", "a close with a fraction", None, exit=0,
        change=altered("A opened", closes_at="2028-02-29T23:59:59.25Z"))
    wrong = {"date": "2026-12-01", "zone": "2026-12-01T00:00:00+01:00", "local": "2026-12-01T00:00:00",
             "day": "2026-11-31T00:00:00Z", "leap": "2027-02-29T00:00:00Z", "hour": "2026-12-01T24:00:00Z",
             "second": "2026-12-31T23:59:60Z", "small": "2026-12-01t00:00:00z", "empty": "",
             "line": "2026-12-01T00:00:00Z\n", "point": "2026-12-01T00:00:00.Z"}
    for name, text in wrong.items():
        add(folder, f"closes-{name}", "a close that is no time in UTC", "A opened", ["RFC 3339"],
            change=altered("A opened", closes_at=text))
    add(folder, "closes-refused", "a refusal whose close is no time", "C refused", ["RFC 3339"],
        change=altered("C refused", closes_at="now"))


def clocks(folder):
    def one(name, about, label, words=(), **options):
        add(folder, f"clock-{name}", about, label, words, of=Reached, **options)

    def here(log):
        return log.hash["A 1"]

    gone = {"A reached": lambda _: None}
    one("started", "a threshold that is reached", None, ["signatures that stand: 11"], exit=0)
    for count in (9, 11, 0):
        one(f"with-{count}", f"a clock that starts with {count} where 10 stand", "A reached", ["by the leaves it is 10"],
            change=altered("A reached", signatures=count))
    one("early", "a clock that starts one signature before its threshold", "A by 9", ["the threshold is 10"],
        put_in=lambda log: reached_leaf(here(log), 9))
    one("early-false-tally", "a clock that starts before its threshold, and says it doesn't", "A by 9",
        ["the threshold is 10"], put_in=lambda log: reached_leaf(here(log), 10))
    one("unchecked", "a clock that starts before the check", "A opened", ["wasn't opened"],
        put_in=lambda log: reached_leaf(here(log), 1))
    one("twice", "a clock that starts anew", "A closed", ["runs already"],
        put_in=lambda log: reached_leaf(here(log), 11, "2027-12-29T10:31:00Z"))
    one("after-the-close", "a clock that starts after the close", "C 1", ["closed before"],
        put_in=lambda log: reached_leaf(here(log), 11))
    one("refused", "a clock that starts for a refused petition", "end", ["refused before"],
        put_in=lambda log: reached_leaf(log.hash["C 1"], 10))
    one("unknown", "a clock of no petition", "A closed", ["no leaf before it"],
        put_in=lambda log: reached_leaf(log.hash["roll"], 10))
    for name, text in {"zone": "2026-12-29T10:31:00+01:00", "day": "2026-12-29", "empty": "",
                       "never": "2027-02-29T10:31:00Z"}.items():
        one(f"due-{name}", "a clock whose end is no time in UTC", "A reached", ["RFC 3339"],
            change=altered("A reached", answer_due_at=text))
    one("missing", "closed with its threshold reached, and no clock", "A closed", ["never started"], change=gone)
    waits = ["clock hasn't started"]
    one("not-yet", "a threshold reached just now, and no clock", None, waits, exit=0,
        change={**gone, "A closed": lambda _: None})

    def fewer(log):
        for name in (1, 2):
            log.step(f"A without {name}", withdraw_leaf(here(log), name, 2))

    one("below-again", "a threshold reached within a batch only, and no clock", None, waits, exit=0,
        before={"A closed": fewer}, change={**gone, **altered("A closed", signatures=9)})
    one("runs-on", "a clock that runs on though some withdrew", None, exit=0, before={"A closed": fewer},
        change=altered("A closed", signatures=9))
    for name, change in {"more": {"person": "x"}, "signatures": {"signatures": "10"}, "due": {"answer_due_at": None},
                         "petition": {"petition": "x"}}.items():
        one(f"form-{name}", "a clock whose members aren't those of its kind", "A reached",
            change=altered("A reached", **change))


def refusals(folder):
    """A refusal's words, of which the log holds the hash."""
    words = ["commits to its words"]
    add(folder, "refused-without-words", "a refusal that commits to no words", "C refused", words,
        change=altered("C refused", content=None))
    add(folder, "opened-with-words", "an opening that commits to words", "A opened", words,
        change=altered("A opened", content=base64url(digest("words"))))
    story = Story()
    at = story.at["C refused"]
    for name, other in {"words": {"words": "Aus Prinzip."}, "code": {"code": "unlawful"}}.items():
        export = story.export()
        export["documents"] = [(i, {**c, **other} if i == at else c) for i, c in export["documents"]]
        folder.add(f"petitions-refusal-{name}.export", f"a refusal whose {name} is another now", write(export), leaf=at,
                   words=["document"])
    for withheld in (0, 1):
        export = story.export()
        export["documents"] = [d for d in export["documents"] if d[0] != at]
        export["header"]["withheld"] = withheld
        folder.add(f"petitions-refusal-withheld-{withheld}.export", f"a refusal's words left out, {withheld} withheld",
                   write(export), 0 if withheld else 1, leaf=None if withheld else at)


def spoiled_issuing(folder):
    add(folder, "council-first-not-by-itself", "the representative's first key, signed by another", "council",
        ["key"], change={"council": lambda leaf: issuer_key("representative", COUNCIL, USURPER)})
    keys = {
        "usurped": ("by somebody else", issuer_key("representative", USURPER, OPERATOR, COUNCIL.public)),
        "anew-by-another": ("anew by the operator", issuer_key("representative", USURPER, OPERATOR)),
        "self-signed": ("by itself", issuer_key("representative", USURPER, USURPER, COUNCIL.public)),
        "by-the-operator": ("by the operator", issuer_key("representative", USURPER, OPERATOR, OPERATOR.public)),
        "elsewhere": ("for another log", issuer_key("representative", USURPER, COUNCIL, COUNCIL.public, "else.example")),
    }
    for name, (about, leaf) in keys.items():
        add(folder, f"council-{name}", f"a key of the representative, signed {about}", "A 1", ["key"],
            put_in=lambda log, leaf=leaf: leaf)
    unsigned = ["representative's key"]
    for label, leaf in (("epoch", epoch_leaf(FIRST_EPOCH, None, OPERATOR)),
                        ("roll 2", roll_leaf(FIRST_EPOCH, 2, ROLL, OPERATOR)),
                        ("representative 3", issue_leaf(FIRST_EPOCH, "representative", 3, OPERATOR))):
        name = label.replace(" ", "-")
        add(folder, f"{name}-by-the-operator", f"{label}, signed by the operator", label, unsigned,
            change={label: lambda _, leaf=leaf: leaf})
        add(folder, f"{name}-unsigned", f"{label}, unsigned", label, unsigned, change=altered(label, signature=""))
    add(folder, "pack-null-signature", "a pack of the representative without a signature", "representative 3",
        unsigned, change=altered("representative 3", signature=None))
    add(folder, "pack-operator-signed", "a pack of the operator with a signature", "operator 3",
        ["nobody checks"], change=altered("operator 3", signature="x"))
    retired = roll_leaf(SECOND_EPOCH, 1, 3, COUNCIL)
    add(folder, "roll-retired-key", "a roll signed with the representative's former key", "roll of 2", unsigned,
        change={"roll of 2": lambda _: retired})
    add(folder, "epoch-no-council", "an epoch, and no key of the representative before it", "epoch", unsigned,
        change={"council": lambda _: None, "next council": lambda _: issuer_key("representative", NEXT_COUNCIL)})

    def twice(at, text):
        def change(leaf):
            issuer, slot = at
            leaf[issuer]["keys"][slot] = text if isinstance(text, str) else leaf[text[0]]["keys"][text[1]]
            return resigned_epoch(leaf, NEXT_COUNCIL)
        return change

    old = base64url(token_key(FIRST_EPOCH, "operator", 1).bytes)
    for name, change in (("slot", twice(("operator", 5), ("operator", 4))),
                         ("issuer", twice(("representative", 5), ("operator", 5))),
                         ("epoch", twice(("representative", 9), old))):
        add(folder, f"tagged-{name}", f"a token key of another {name} once more", "epoch 2", ["used before"],
            change={"epoch 2": change})
    short, even = base64url(b"\xff" * 255), base64url(b"\xff" * 255 + b"\xfe")
    for name, text in (("short", short), ("even", even), ("padded", old + "="), ("empty", "")):
        add(folder, f"token-key-{name}", "a token key that is none", "epoch 2", ["2048 bits"],
            change={"epoch 2": twice(("operator", 3), text)})

    def fewer(leaf):
        leaf["operator"]["keys"].pop()
        return resigned_epoch(leaf, NEXT_COUNCIL)

    add(folder, "token-keys-15", "an issuer with 15 keys", "epoch 2", ["16 keys"], change={"epoch 2": fewer})
    for name, changes, words in (("previous", {"previous": None}, "epoch before it"),
                                 ("again", {"epoch": FIRST_EPOCH}, "began before"),
                                 ("name", {"group": "a\nb"}, "name can't be read")):
        def change(leaf, changes=changes):
            return resigned_epoch({**leaf, **changes}, NEXT_COUNCIL)

        add(folder, f"epoch-{name}", f"an epoch with a wrong {name}", "epoch 2", [words], change={"epoch 2": change})
    rolls = {"shrunken": ((3, ROLL - 1), ["shrank"]), "skipped": ((4, ROLL), ["version"]),
             "again": ((2, ROLL), ["version"])}
    for name, ((version, size), words) in rolls.items():
        add(folder, f"roll-{name}", f"a roll that is {name}", "A 1", words,
            put_in=lambda log, version=version, size=size: roll_leaf(FIRST_EPOCH, version, size))
    add(folder, "roll-before-epoch", "a roll before its epoch", "epoch", ["announces its epoch"],
        put_in=lambda log: roll_leaf(FIRST_EPOCH, 1, 3))
    for issuer in NAMES:
        add(folder, f"pack-again-{issuer}", f"a second pack by the {issuer}", "A 1", ["second pack"],
            put_in=lambda log, issuer=issuer: {**issue_leaf(FIRST_EPOCH, issuer, 3)})
        add(folder, f"pack-off-the-roll-{issuer}", f"a pack by the {issuer} for nobody on the roll", "A 1",
            ["isn't on the roll"], put_in=lambda log, issuer=issuer: issue_leaf(FIRST_EPOCH, issuer, ROLL))
    add(folder, "pack-before-roll", "a pack before the roll", "roll", ["isn't on the roll"],
        put_in=lambda log: issue_leaf(FIRST_EPOCH, "operator", 0))
    add(folder, "pack-of-the-future", "a pack before its epoch", "A 1", ["announces its epoch"],
        put_in=lambda log: issue_leaf(SECOND_EPOCH, "operator", 0))


def spoiled_life(folder):
    def again(label, *arguments, **options):
        return {label: lambda log: log.version("put in", *arguments, **options)}

    taken, edited = ["another petition has this slot"], ["has no new version"]
    cases = {
        "slot-taken": ("another petition in a slot that is used", again("B 1", name="X"), taken),
        "slot-0": ("a petition in the slot for starting one", again("B 1", name="X", slot=0), ["slots 1 to 15"]),
        "slot-16": ("a petition in a slot that there isn't", again("B 1", name="X", slot=16), ["slots 1 to 15"]),
        "version-2-first": ("a first version that isn't the first", again("B 1", 2, name="X", slot=9), ["version"]),
        "no-epoch": ("a petition before its epoch", again("B 1", name="X", epoch=SECOND_EPOCH),
                     ["announces its epoch"]),
        "author-again": ("a second petition of one author", again("C 1", name="X", slot=9, author=7),
                         ["another petition with the same credential"]),
    }
    for name, (about, before, words) in cases.items():
        add(folder, name, about, "put in", words, before=before)

    def later(label, petition, previous, *arguments, **options):
        return {label: lambda log: log.version("put in", *arguments, previous=log.hash[previous], name=petition,
                                               **options)}

    cases = {
        "slot-swapped": ("a petition whose new version has another slot",
                         later("A by 0", "A", "A 2", 3, slot=4), ["one epoch and one slot"]),
        "version-skipped": ("a version left out", later("A by 0", "A", "A 2", 4), ["version"]),
        "edited-when-open": ("a new version after the check", later("A by 3", "A", "A 2", 3), edited),
        "edited-when-closed": ("a new version after the close", later("B 1", "A", "A 2", 3), edited),
        "author-changed": ("a new version by another author", later("B by 1", "B", "B 2", 3, slot=2, author=6),
                           ["one author"]),
        "author-gone": ("a new version by nobody", later("B by 1", "B", "B 2", 3, slot=2), ["one author"]),
    }
    for name, (about, before, words) in cases.items():
        add(folder, name, about, "put in", words, before=before)
    content = base64url(digest("another text"))
    story = Story(change=altered("B 2", content=content))
    export = story.export()
    export["documents"] = [d for d in export["documents"] if d[0] != story.at["B 2"]]
    export["header"]["withheld"] = 1
    folder.add("petitions-author-other-text.export", "another text than the author signed", write(export),
               leaf=story.at["B 2"], words=["key of its author"])

    def author(**members):
        return {"B 1": lambda leaf: {**leaf, "author": {**leaf["author"], **members}}}

    add(folder, "author-operator-alone", "an author with one issuer's token", "B 1", ["representative's token"],
        change=author(representative=token(7, FIRST_EPOCH, 0, "operator")))
    add(folder, "author-other-slot", "an author with tokens of another slot", "B 1", ["operator's token"],
        change=author(operator=token(7, FIRST_EPOCH, (0, 1), "operator")))
    add(folder, "author-unsigned", "an author who didn't sign", "B 1", ["credential and signs"],
        change=altered("B 1", signature=None))
    second, third = (lambda log: log.hash["A 2"]), (lambda log: log.hash["C 1"])
    check = {"t": "check", "outcome": "opened", "code": None, "content": None, "threshold": 10,
             "closes_at": "2026-12-01T00:00:00Z"}
    put = {
        "checked-twice": ("a second check", "A by 3", lambda log: {**check, "petition": second(log)}, "checked before"),
        "checked-late": ("a check of a refused petition", "next council",
                         lambda log: {**check, "petition": third(log)}, "checked before"),
        "checked-old": ("a check of an old version", "A by 3",
                        lambda log: {**check, "petition": log.hash["A 1"]}, "newer version"),
        "refused-without-code": ("a refusal that names no rule", "B by 1", lambda log: {
            **check, "petition": log.hash["B 2"], "outcome": "refused"}, "names a rule"),
        "opened-with-code": ("an opening that names a rule", "B by 1", lambda log: {
            **check, "petition": log.hash["B 2"], "code": "unclear"}, "names a rule"),
        "signed-when-refused": ("a signature after the refusal", "next council",
                                lambda log: sign_leaf(third(log), 6, slot=1), "refused before"),
        "signed-when-closed": ("a signature after the close", "B 1", lambda log: sign_leaf(second(log), 6),
                               "closed before"),
        "withdrawn-when-closed": ("a withdrawal after the close", "B 1",
                                  lambda log: withdraw_leaf(second(log), 1, 2), "closed before"),
        "closed-twice": ("a second close", "B 1", lambda log: {
            "t": "close", "petition": second(log), "signatures": 5}, "closed before"),
        "answer-again": ("an answer that leaves out the one before", "A closed", lambda log: {
            "t": "answer", "petition": second(log), "number": 3, "previous": log.hash["A answer 1"],
            "content": content}, "answer before it"),
        "answer-number": ("an answer with a number left out", "A closed", lambda log: {
            "t": "answer", "petition": second(log), "number": 4, "previous": log.hash["A answer 2"],
            "content": content}, "answer before it"),
    }
    for name, (about, label, leaf, words) in put.items():
        add(folder, name, about, label, [words], put_in=leaf)
    for count in (4, 6, 0):
        add(folder, f"closed-with-{count}", f"closed with {count} where 5 stand", "A closed",
            ["by the leaves it is 5"], change=altered("A closed", signatures=count))


def forms(folder):
    """Leaves whose members aren't those of their kind."""
    for label in ("council", "epoch", "roll", "representative 0", "A 1", "A opened", "A by 3", "A without 0",
                  "A answer 1", "A closed", "B 1"):
        name = label.replace(" ", "-")
        add(folder, f"form-{name}-more", f"{label} with a member more", label, ["member"],
            change={label: lambda leaf: {**leaf, "person": "x"}})
        for member in ("signature", "petition", "number", "signatures"):
            story_leaf = json.loads(_plain().leaves[_plain().at[label]])
            if member in story_leaf:
                add(folder, f"form-{name}-{member}", f"{label} with a list as {member}", label,
                    change={label: lambda leaf, member=member: {**leaf, member: []}})
    add(folder, "form-credential", "a signature without the operator's token", "A by 3", change={
        "A by 3": lambda leaf: {**leaf, "credential": {k: v for k, v in leaf["credential"].items() if k != "operator"}}})
    add(folder, "form-credential-more", "a credential that says whose it is", "A by 3", change={
        "A by 3": lambda leaf: {**leaf, "credential": {**leaf["credential"], "name": "x"}}})
    add(folder, "form-mode", "an unknown mode", "A by 3", change=altered("A by 3", mode="secret"))


@functools.cache
def _plain():
    return Story()
