"""An independent verifier of Daylight's log: stock Python and `cryptography`, none of Daylight's code.

    verify.py export FILE [--policy FILE] [--since CHECKPOINT] [--proof FILE] [--petition FILE] [--json]
    verify.py proof FILE --vkey VKEY [--witness VKEY ...] [--json]
    verify.py receipt FILE [--policy FILE] [--json]       a worker's receipt (receipt.py)
    verify.py generate DIR      makes logs that hold and logs that don't, with expected.json (forge.py)
    verify.py judge DIR         verifies what `generate` made and compares with expected.json
    verify.py vectors FILE      checks this program against public test vectors

Ends with 0: holds, 1: violated, 2: unreadable. Written from the C2SP texts (signed-note, tlog-checkpoint,
tlog-cosignature, tlog-policy, tlog-proof), RFC 6962 and RFC 8785.
"""

import argparse
import base64
import binascii
import hashlib
import json
import math
import re
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import petitions

TILE = 256
LARGEST_LEAF = 65_535
LARGEST_INTEGER = 2**53 - 1
LOG_KEY, WITNESS_KEY = 1, 4  # signature types of signed-note

NOT_PROVEN = [
    "that the people on the roll are real",
    "that the issuers of signatures did not work together",
    "that nobody was watched in a way that was never declared",
    "what stands in documents that are withheld",
]
OWN_WORD = "whose keys these are: without a policy of your own, the keys are the export's own word"
NO_WITNESS = "that others were shown the same log: no witness is asked for"


class Unreadable(Exception):
    """The input isn't what it should be, so nothing can be said about it."""


class Violated(Exception):
    def __init__(self, words, leaf=None, between=None):
        if between and between[0] == between[1]:
            leaf, between = between[0], None
        super().__init__(words)
        self.words, self.leaf, self.between = words, leaf, between


# Encodings ------------------------------------------------------------------------------------------------


def unbase64(text, what):
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable(f"{what} isn't base64") from None
    if base64.b64encode(data).decode() != text:
        raise Unreadable(f"{what} isn't base64 in its one right form")
    return data


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def is_hash(value):
    """32 bytes as base64url without padding, in its one right form."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_-]{43}", value):
        return False
    return base64url(base64.urlsafe_b64decode(value + "=")) == value


def decimal(text, what):
    if not re.fullmatch(r"0|[1-9][0-9]{0,15}", text):
        raise Unreadable(f"{what} isn't a number")
    return int(text)


def canonical(value):
    """RFC 8785."""
    if value is None or value is True or value is False:
        return {None: b"null", True: b"true", False: b"false"}[value]
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).encode()
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, list):
        return b"[" + b",".join(map(canonical, value)) + b"]"
    members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
    return b"{" + b",".join(canonical(k) + b":" + canonical(v) for k, v in members) + b"}"


def number(value):
    """As ECMAScript writes it: the shortest digits, and an exponent only far from 1."""
    if isinstance(value, int) and abs(value) <= LARGEST_INTEGER:
        return str(value).encode()
    value = float(value)
    if not math.isfinite(value):
        raise ValueError("a number that JSON doesn't know")
    if value == 0:
        return b"0"
    digits, exponent = re.fullmatch(r"-?([0-9.]+)(?:e([+-][0-9]+))?", repr(value)).groups()
    whole, _, part = digits.partition(".")
    part = "" if part == "0" else part
    point = len(whole) + int(exponent or 0)  # where the point stands, counted from the first digit
    digits = (whole + part).lstrip("0")
    point -= len(whole + part) - len(digits)
    digits = digits.rstrip("0")
    sign, count = "-" if value < 0 else "", len(digits)
    if count <= point <= 21:
        text = digits + "0" * (point - count)
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        rest = f".{digits[1:]}" if count > 1 else ""
        text = f"{digits[0]}{rest}e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return (sign + text).encode()


def no_constant(name):
    raise ValueError(f"{name} isn't JSON")


def parse_json(data):
    return json.loads(data, parse_constant=no_constant)


# RFC 6962 -------------------------------------------------------------------------------------------------


def leaf_hash(data):
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """All complete subtrees over leaf hashes, so that the root at any size costs a few hashes."""

    def __init__(self, hashes):
        self.levels = [list(hashes)]
        while len(self.levels[-1]) > 1:
            below = self.levels[-1]
            pairs = range(0, len(below) - 1, 2)
            self.levels.append([node_hash(below[i], below[i + 1]) for i in pairs])

    def __len__(self):
        return len(self.levels[0])

    def root(self, size):
        return self.subtree(0, size) if size else hashlib.sha256(b"").digest()

    def subtree(self, start, end):
        size = end - start
        level = (size - 1).bit_length()
        if size == 1 << level:
            return self.levels[level][start >> level]
        middle = start + (1 << (level - 1))
        return node_hash(self.subtree(start, middle), self.subtree(middle, end))

    def path(self, index, size):
        """The inclusion proof, from the leaf's sibling up."""
        path, start, end = [], 0, size
        while end - start > 1:
            middle = start + (1 << ((end - start - 1).bit_length() - 1))
            if index < middle:
                path.append(self.subtree(middle, end))
                end = middle
            else:
                path.append(self.subtree(start, middle))
                start = middle
        return path[::-1]


def root_from_path(index, size, leaf, path):
    """The root that an inclusion proof leads to; RFC 9162, 2.1.3.2, whose trees are those of RFC 6962."""
    if index >= size:
        raise Violated(f"the proof is for leaf {index} of a log of {size}")
    number, last, current = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise Violated("the proof's path is too long")
        if number & 1 or number == last:
            current = node_hash(sibling, current)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            current = node_hash(current, sibling)
        number, last = number >> 1, last >> 1
    if last:
        raise Violated("the proof's path is too short")
    return current


def is_consistent(first, second, first_root, second_root, proof):
    """RFC 9162, 2.1.4.2."""
    if first == second:
        return not proof and first_root == second_root
    if first > second or first == 0 or not proof:
        return first == 0 and not proof
    proof = list(proof)
    if first & (first - 1) == 0:
        proof.insert(0, first_root)
    number, last = first - 1, second - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    old = new = proof[0]
    for current in proof[1:]:
        if last == 0:
            return False
        if number & 1 or number == last:
            old, new = node_hash(current, old), node_hash(current, new)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            new = node_hash(new, current)
        number, last = number >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


# Signed notes, checkpoints, policies ----------------------------------------------------------------------


def ed25519_holds(key, signature, message):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return False


def key_id(name, kind, key):
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + key).digest()[:4]


def is_key_name(name):
    return bool(name) and "+" not in name and not any(c.isspace() for c in name)


class Key:
    """A verifier key: `name+id+base64(type, public key)`."""

    def __init__(self, name, kind, public):
        self.name, self.kind, self.public = name, kind, public
        self.id = key_id(name, kind, public)

    @classmethod
    def parse(cls, text):
        name, _, rest = text.partition("+")
        identity, _, encoded = rest.partition("+")
        data = unbase64(encoded, f"the key of {name}")
        if not is_key_name(name) or not re.fullmatch("[0-9a-f]{8}", identity) or len(data) < 2:
            raise Unreadable(f"{text} isn't a verifier key")
        key = cls(name, data[0], data[1:])
        if key.kind in (LOG_KEY, WITNESS_KEY) and len(key.public) != 32:
            raise Unreadable(f"the key of {name} has the wrong length")
        if key.id.hex() != identity:
            raise Unreadable(f"the key of {name} has another id than it says")
        return key

    def text(self):
        encoded = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{encoded}"

    def signed(self, note):
        """Whether this key signed the note; a signature of this key that is wrong spoils the whole note."""
        own = [s for name, identity, s in note.signatures if (name, identity) == (self.name, self.id)]
        for signature in own:
            if not self.holds(note.text.encode(), signature):
                raise Violated(f"a signature of {self.name} is wrong")
        return bool(own)

    def holds(self, text, signature):
        if self.kind == LOG_KEY:
            return ed25519_holds(self.public, signature, text)
        if self.kind == WITNESS_KEY and len(signature) == 72:
            time = int.from_bytes(signature[:8], "big")
            message = f"cosignature/v1\ntime {time}\n".encode() + text
            return time < 2**63 and ed25519_holds(self.public, signature[8:], message)
        return False


class Note:
    def __init__(self, text):
        if re.search(r"[\x00-\x09\x0b-\x1f]", text):
            raise Unreadable("a note holds a control character")
        body, blank, signatures = text.rpartition("\n\n")
        lines = signatures.split("\n")
        if not blank or not body or lines.pop() != "" or not 1 <= len(lines) <= 100:
            raise Unreadable("not a signed note")
        self.text, self.signatures = body + "\n", []
        for line in lines:
            dash, _, rest = line.partition(" ")
            name, _, encoded = rest.partition(" ")
            data = unbase64(encoded, "a signature")
            if dash != "—" or not is_key_name(name) or len(data) < 5:
                raise Unreadable("a note's signature line can't be read")
            self.signatures.append((name, data[:4], data[4:]))


class Checkpoint(Note):
    def __init__(self, text):
        super().__init__(text)
        lines = self.text.split("\n")[:-1]
        if len(lines) < 3 or "" in lines:
            raise Unreadable("not a checkpoint")
        self.origin = lines[0]
        self.size = decimal(lines[1], "a checkpoint's size")
        self.root = unbase64(lines[2], "a checkpoint's root")
        if len(self.root) != 32:
            raise Unreadable("a checkpoint's root has the wrong length")


class Policy:
    """C2SP tlog-policy."""

    def __init__(self, text):
        self.logs, self.witnesses, self.groups, self.quorum = [], {}, {}, None
        members, keys = set(), set()
        if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
            raise Unreadable("policy: a control character")
        for line in text.split("\n"):
            words = line.replace("\t", " ").split(" ")
            words = [word for word in words if word]
            if not words or words[0].startswith("#"):
                continue
            if words[0] == "log" and len(words) in (2, 3):
                self.logs.append(self.key(words[1], ("log", keys)))
            elif words[0] == "witness" and len(words) in (3, 4) and self.is_new(words[1]):
                self.witnesses[words[1]] = self.key(words[2], ("witness", keys))
            elif words[0] == "group" and len(words) >= 4 and self.is_new(words[1]):
                names = words[3:]
                twice = len(set(names)) < len(names) or members & set(names)
                if twice or any(self.is_new(name) or name == "none" for name in names):
                    raise Unreadable(f"policy: a member of {words[1]} is unknown or used twice")
                members |= set(names)
                count = {"any": "1", "all": str(len(names))}.get(words[2], words[2])
                count = decimal(count, "policy: a group's number")
                if not 1 <= count <= len(names):
                    raise Unreadable(f"policy: {words[1]} asks for more than its members")
                self.groups[words[1]] = (count, names)
            elif words[0] == "quorum" and len(words) == 2 and self.quorum is None:
                if words[1] != "none" and self.is_new(words[1]):
                    raise Unreadable("policy: the quorum's name is unknown")
                self.quorum = words[1]
            else:
                raise Unreadable(f"policy: this line can't be read: {line}")
        if self.quorum is None:
            raise Unreadable("policy: no quorum line")

    def is_new(self, name):
        return name not in self.witnesses and name not in self.groups and name != "none"

    @staticmethod
    def key(text, known):
        kind, keys = known
        key = Key.parse(text)
        if (kind, key.public) in keys:
            raise Unreadable(f"policy: the same {kind} key twice")
        keys.add((kind, key.public))
        if kind == "log" and key.kind != LOG_KEY:
            raise Unreadable("policy: a log's key of a type that this verifier doesn't know")
        return key

    def check_log(self, checkpoint, announced=()):
        """`announced` are the log's own keys: whoever trusts one of them trusts those that follow it."""
        own = [key for key in self.logs if key.name == checkpoint.origin]
        if any(key.public in announced for key in own):
            return
        if not any([key.signed(checkpoint) for key in own]):
            raise Violated("the checkpoint carries no signature of a log key that the policy names")

    def check_quorum(self, checkpoint):
        """Gives the names of the witnesses that cosigned."""
        seen = [name for name, key in self.witnesses.items() if key.signed(checkpoint)]

        def witnessed(name):
            if name in self.groups:
                count, members = self.groups[name]
                return sum(map(witnessed, members)) >= count
            return name == "none" or name in seen

        if not witnessed(self.quorum):
            raise Violated(f"the quorum of witnesses isn't reached: cosigned by {', '.join(seen) or 'none'}")
        return seen


# Exports --------------------------------------------------------------------------------------------------

HASH, OPTIONAL_HASH, TEXT, OPTIONAL_TEXT = "hash", "hash or null", "text", "text or null"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
VERSION, DAY = re.compile(r"[0-9]+\.[0-9]+"), re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
CHAIN = {"previous": OPTIONAL_HASH, "content": HASH}
STEP = {"processing": UUID, "revision": int, **CHAIN}
CREDENTIAL = {"key": HASH, "operator": TEXT, "representative": TEXT}
ISSUER = {"name": TEXT, "keys": [TEXT]}
SHAPES = {
    "key": {"role": TEXT, "origin": TEXT, "public_key": HASH, "from": TEXT, "previous": OPTIONAL_HASH,
            "signature": TEXT},
    "notice": {"notice": UUID, "version": VERSION,
               "change": ("published", "corrected", "changed", "retracted"), **CHAIN},
    "register": {"change": ("activated", "revised", "ended"), **STEP},
    "pause": STEP,
    "resume": STEP,
    "report": {"day": DAY, "root": HASH},
    "consent": {"commitment": HASH},
    "log": {"origin": TEXT, "previous": TEXT, "kept": int},
    "epoch": {"epoch": TEXT, "group": TEXT, "operator": ISSUER, "representative": ISSUER, "previous": OPTIONAL_HASH,
              "signature": TEXT},
    "roll": {"epoch": TEXT, "version": int, "size": int, "root": HASH, "signature": TEXT},
    "issue": {"epoch": TEXT, "issuer": petitions.ISSUERS, "index": int, "request": HASH, "signature": OPTIONAL_TEXT},
    "petition": {"petition": UUID, "version": int, "epoch": TEXT, "slot": int, "author": [None, CREDENTIAL],
                 "signature": OPTIONAL_TEXT, **CHAIN},
    "check": {"petition": HASH, "outcome": ("opened", "refused"), "code": OPTIONAL_TEXT,
              "content": OPTIONAL_HASH, "threshold": int,
              "closes_at": TEXT},
    "sign": {"petition": HASH, "number": int, "mode": ("named", "confidential"),
             "disclosure": ("nobody", "everyone", "everyone_with_department", "representatives",
                            "representatives_with_department"),
             "signer": OPTIONAL_HASH, "credential": CREDENTIAL, "signature": TEXT},
    "withdraw": {"petition": HASH, "number": int, "key": HASH, "signature": TEXT},
    "reached": {"petition": HASH, "signatures": int, "answer_due_at": TEXT},
    "answer": {"petition": HASH, "number": int, **CHAIN},
    "close": {"petition": HASH, "signatures": int},
}


def fits(value, kind):
    if isinstance(kind, dict):
        members = isinstance(value, dict) and set(value) == set(kind)
        return members and all(fits(value[name], inner) for name, inner in kind.items())
    if isinstance(kind, list) and kind[0] is None:
        return value is None or fits(value, kind[1])
    if isinstance(kind, list):
        return isinstance(value, list) and all(fits(inner, kind[0]) for inner in value)
    if kind == OPTIONAL_TEXT:
        return value is None or isinstance(value, str)
    if kind in (HASH, OPTIONAL_HASH):
        return is_hash(value) or (kind == OPTIONAL_HASH and value is None)
    if kind is int:
        return type(value) is int and value >= 0
    if not isinstance(value, str):
        return False
    return kind == TEXT or (value in kind if isinstance(kind, tuple) else bool(kind.fullmatch(value)))


class Former:
    """A log that this one continues: its leaves stand behind leaf `index`, as far as they were kept."""

    def __init__(self, index, leaf, kept, hashes, keys):
        self.index, self.leaf, self.kept, self.tree = index, leaf, kept, Tree(hashes)
        self.start = index + 1
        try:
            self.last = Checkpoint(leaf["previous"])
        except Unreadable:
            self.last = None
        self.origin = self.last and self.last.origin
        self.keys = [key for _, key in keys if key.name == self.origin]

    def signed(self, checkpoint):
        """Whether a key that is known signed it; others may have been announced among what was lost."""
        return any([key.signed(checkpoint) for key in self.keys])

    def holds(self, checkpoint):
        return checkpoint.size <= len(self.tree) and self.tree.root(checkpoint.size) == checkpoint.root

    def judge(self, checkpoint, what, others, given):
        """Nothing, or why it isn't checked."""
        if not self.signed(checkpoint):
            return (f"{what} of {self.origin} isn't checked: no key that is known signed it; "
                    "its key may have been announced among what was lost")
        if checkpoint.size > self.kept:
            if given:
                lost = checkpoint.size - self.kept
                raise Violated(f"{lost} entries of the log you saw were lost in a restore")
            return None
        if not self.holds(checkpoint):
            good = [c.size for c in (self.last, *others) if c.origin == self.origin
                    and c.size < checkpoint.size and self.signed(c) and self.holds(c)]
            between = (self.start + max(good, default=0), self.start + checkpoint.size - 1)
            raise Violated(f"{what} of {self.origin}: a leaf from {between[0]} to {between[1]} isn't the one that "
                           "was signed: the former log's entries were changed when this one began",
                           between=between)
        return None


class Export:
    def __init__(self, data):
        lines = data.split(b"\n")
        if lines.pop() != b"" or not lines:
            raise Unreadable("the file's last line is cut off")
        try:
            self.header = parse_json(lines[0].decode())
            if self.header["format"] != "daylight-log/v1":
                raise Unreadable(f"the format is {self.header['format']}, not daylight-log/v1")
            counts = [self.header[name] for name in ("leaves", "tiles", "checkpoints", "documents", "withheld")]
            texts = [self.header[name] for name in ("origin", "policy", "checkpoint")]
        except (ValueError, KeyError, TypeError):
            raise Unreadable("the first line isn't the header of an export") from None
        if not all(type(n) is int and n >= 0 for n in counts) or not all(isinstance(t, str) for t in texts):
            raise Unreadable("the header's members are of the wrong kind")
        leaves, tiles, checkpoints, documents, self.withheld = counts
        if len(lines) != 1 + leaves + tiles + checkpoints + documents:
            raise Unreadable("the header promises another number of lines than there are")
        if tiles != math.ceil(leaves / TILE):
            raise Unreadable("the header's tiles don't fit its leaves")
        self.origin = self.header["origin"]
        self.checkpoint = Checkpoint(self.header["checkpoint"])
        take = iter(lines[1:])
        self.leaves = [next(take) for _ in range(leaves)]
        self.tiles = []
        for number in range(tiles):
            tile = unbase64(next(take).decode("latin-1"), "a tile")
            full = TILE * 32 if number < tiles - 1 else len(tile)
            if len(tile) != full or len(tile) % 32 or not 32 <= len(tile) <= TILE * 32:
                raise Unreadable("a tile has the wrong length")
            self.tiles += [tile[i:i + 32] for i in range(0, len(tile), 32)]
        try:
            self.older = [Checkpoint(parse_json(next(take).decode())) for _ in range(checkpoints)]
            self.documents = []
            for _ in range(documents):
                document = parse_json(next(take).decode())
                if type(document["leaf"]) is not int or document["leaf"] < 0:
                    raise Unreadable("a document doesn't say of which leaf it is")
                self.documents.append((document["leaf"], document["content"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Unreadable("a checkpoint or a document can't be read") from None
        self.values = [self.value(leaf) for leaf in self.leaves]
        self.hashes = [leaf_hash(leaf) for leaf in self.leaves]
        self.tree = Tree(self.tiles)
        every = [
            (index, Key(leaf["origin"], LOG_KEY, base64.urlsafe_b64decode(leaf["public_key"] + "=")))
            for index, leaf in self.of_type("key")
            if leaf["role"] == "log"
        ]
        self.log_keys = [(index, key) for index, key in every if key.name == self.origin]
        # The logs that this one continues: leaf 0 names the last of them, leaf 1 the one before, and so on.
        self.formers = []
        for index, leaf in self.of_type("log"):
            above = self.formers[-1].kept if self.formers else len(self.leaves)
            if index == len(self.formers) and above > 0:
                hashes = self.tiles[index + 1:index + 1 + min(leaf["kept"], above - 1)]
                self.formers.append(Former(index, leaf, min(leaf["kept"], above - 1), hashes, every))

    @staticmethod
    def value(leaf):
        """What a leaf says, as far as it can be read; whether it is canonical is a check of its own."""
        try:
            value = parse_json(leaf.decode())
            return value if isinstance(value, dict) else {}
        except (ValueError, RecursionError):
            return {}

    def of_type(self, *types):
        """Leaves of these types that have the right members."""
        for index, value in enumerate(self.values):
            if value.get("t") in types and self.shape(value) and not self.fault(value):
                yield index, value

    @staticmethod
    def shape(value):
        """The members of this leaf's type; nothing for types and versions that this verifier doesn't know."""
        known = type(value.get("v")) is int and value["v"] == 1 and isinstance(value.get("t"), str)
        return SHAPES.get(value["t"]) if known else None

    def fault(self, value):
        shape = self.shape(value)
        if shape is None:
            return None
        if set(value) != set(shape) | {"v", "t"}:
            return "it doesn't have exactly the members of its type"
        wrong = [name for name, kind in shape.items() if not fits(value[name], kind)]
        return f"{wrong[0]} can't be read" if wrong else None

    def key_at(self, size):
        """The log key valid at this size: the newest key leaf below it."""
        valid = [key for index, key in self.log_keys if index < size]
        return valid[-1] if valid else None

    def check_signed(self, checkpoint, what):
        key = self.key_at(checkpoint.size)
        if checkpoint.origin != self.origin:
            raise Violated(f"{what} is of another log: {checkpoint.origin}")
        if key is None:
            raise Violated(f"{what}: no log key stands in the log below its size {checkpoint.size}")
        if not key.signed(checkpoint):
            raise Violated(f"{what} carries no signature of the log key valid at its size {checkpoint.size}")

    # The checks, in the order of the report. Each gives the words of its row, or raises.

    def signature(self, policy):
        if self.checkpoint.origin != self.origin:
            raise Violated(f"the checkpoint is of another log: {self.checkpoint.origin}")
        own = [leaf for _, leaf in self.of_type("key") if (leaf["role"], leaf["origin"]) == ("log", self.origin)]
        # That the newest of them signed is judged with the key leaves.
        policy.check_log(self.checkpoint, [base64.urlsafe_b64decode(leaf["public_key"] + "=") for leaf in own])
        return f"size {self.checkpoint.size}, signed by {self.origin}"

    def quorum(self, policy):
        seen = policy.check_quorum(self.checkpoint)
        if policy.quorum == "none":
            return None, "the policy asks for no witness"
        return f"cosigned by {', '.join(seen)}"

    def leaves_and_tiles(self):
        if self.hashes == self.tiles:
            return f"{len(self.leaves)} leaves have the hashes of the tree"
        lines, tiles = self.hashes, self.tiles
        index = next(i for i in range(len(lines) + 1) if lines[i:i + 1] != tiles[i:i + 1])
        line = lines[index] if index < len(lines) else None
        tile = tiles[index] if index < len(tiles) else None
        if line is not None and lines.count(line) > 1 and line in tiles:
            other = tiles.index(line)
            lost = "" if tile in lines else f", and leaf {index} is missing"
            raise Violated(f"at leaf {index}, leaf {other} appears twice{lost}", index)
        if tile is None:
            raise Violated(f"leaf {index} isn't in the tree", index)
        if tile in lines:
            raise Violated(f"leaf {index} was moved: it stands at {lines.index(tile)}", index)
        if line is None or line in tiles:
            raise Violated(f"leaf {index} is missing", index)
        raise Violated(f"leaf {index} was changed: its bytes don't have the hash in the tree", index)

    def roots(self):
        size, count = self.checkpoint.size, len(self.tree)
        if size <= count and self.tree.root(size) == self.checkpoint.root:
            if size < count:
                raise Violated(f"rolled back: {count} leaves are here and the checkpoint covers {size}")
            return f"the tree over {size} leaves has the checkpoint's root"
        good = 0
        for checkpoint in sorted(self.older, key=lambda c: c.size):
            if checkpoint.size > min(size, count):
                break
            if self.tree.root(checkpoint.size) != checkpoint.root:
                size = checkpoint.size
                break
            good = checkpoint.size
        raise Violated(f"the tree over the {count} leaves here has another root than the checkpoint of "
                       f"{self.checkpoint.size}: a leaf from {good} to {size - 1} isn't the one that was signed, "
                       "or is missing", between=(good, size - 1))

    def older_checkpoints(self):
        if not self.older:
            return None, "the export holds no older checkpoint"
        roots = {self.checkpoint.size: self.checkpoint.root}
        before, unchecked = {}, []
        for checkpoint in self.older:
            what = f"the older checkpoint at size {checkpoint.size}"
            former = self.former(checkpoint)
            if former:
                unchecked.append(former.judge(checkpoint, what, self.older, given=False))
            elif roots.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
                self.check_signed(checkpoint, what)
                raise Violated(f"two roots are signed at one size, {checkpoint.size}")
            elif checkpoint.size > self.checkpoint.size:
                raise Violated(f"rolled back: {what} is larger than the newest, {self.checkpoint.size}")
            if checkpoint.size < before.get(checkpoint.origin, 0):
                raise Violated(f"{what} comes after a larger one")
            before[checkpoint.origin] = checkpoint.size
            if not former:
                self.check_signed(checkpoint, what)
                self.check_root(checkpoint, what)
        unchecked = list(filter(None, unchecked))
        if unchecked:
            return None, "; ".join(unchecked)
        return f"{len(self.older)} older checkpoints are signed and on the same tree, as far as it was kept"

    def former(self, checkpoint):
        """The former log whose checkpoint this is."""
        if checkpoint.origin == self.origin:
            return None
        return next((former for former in self.formers if former.origin == checkpoint.origin), None)

    def check_root(self, checkpoint, what):
        if checkpoint.size <= len(self.tree) and self.tree.root(checkpoint.size) != checkpoint.root:
            raise Violated(f"{what} isn't on the same tree: the log was forked or rewritten")

    def since(self, checkpoint):
        what = f"your checkpoint at size {checkpoint.size}"
        former = self.former(checkpoint)
        if former:
            unchecked = former.judge(checkpoint, what, self.older, given=True)
            return (None, unchecked) if unchecked else f"{what} is of {former.origin}, whose entries were kept"
        self.check_signed(checkpoint, what)
        if checkpoint.size > len(self.tree):
            raise Violated(f"rolled back: {what} is larger than this log, {len(self.tree)}")
        self.check_root(checkpoint, what)
        return f"{what} is on the same tree"

    def canonical_leaves(self):
        for index, leaf in enumerate(self.leaves):
            if len(leaf) > LARGEST_LEAF:
                raise Violated(f"leaf {index} is longer than {LARGEST_LEAF} bytes", index)
            fault = canonical_fault(leaf)
            if fault:
                raise Violated(f"leaf {index} isn't canonical JSON: {fault}", index)
            if self.fault(self.values[index]):
                raise Violated(f"leaf {index}: {self.fault(self.values[index])}", index)
        unknown = [value for value in self.values if not self.shape(value)]
        note = f"; the content of {len(unknown)} is not checked by this version" if unknown else ""
        return f"{len(self.leaves)} leaves are canonical{note}"

    def keys(self):
        newest, count, issuers = {}, 0, None
        for index, leaf in self.of_type("key"):
            is_log = leaf["role"] == "log"
            own = (leaf["role"], leaf["origin"] if is_log else None)
            # Another representative may be connected, and an issuer's key may be lost.
            begins = not is_log and leaf["previous"] is None
            if leaf["previous"] != newest.get(own) and not begins:
                if leaf["previous"] is None:
                    raise Violated(f"leaf {index}: a key without its predecessor, as if it were the first", index)
                raise Violated(f"leaf {index}: the previous key isn't the one before it", index)
            # An issuer goes on under the name of the first log when that begins again.
            names = [self.origin, *(former.origin for former in self.formers)]
            issuers = issuers or (not is_log and leaf["origin"])
            wanted = leaf["origin"] == self.origin_at(index) if is_log else leaf["origin"] == issuers in names
            if not wanted:
                raise Violated(f"leaf {index}: a key of another log", index)
            signer = leaf["previous"] or leaf["public_key"]
            message = "daylight-key/v1\n" + "".join(
                leaf[name] + "\n" for name in ("origin", "role", "public_key", "from"))
            try:
                signature = base64.urlsafe_b64decode(leaf["signature"] + "==")
            except (binascii.Error, ValueError):
                signature = b""
            public = base64.urlsafe_b64decode(signer + "=")
            if base64url(signature) != leaf["signature"] or not ed25519_holds(public, signature, message.encode()):
                raise Violated(f"leaf {index}: the key's signature by its predecessor is wrong", index)
            newest[own] = leaf["public_key"]
            count += 1
        self.check_signed(self.checkpoint, "the checkpoint")
        origins = {origin for _, origin in newest if origin}
        if len(origins) > 1:
            return (f"{count} keys of {len(origins)} logs: in each, the later are signed by the earlier; a former "
                    "log's keys count for that log only")
        return f"{count} keys, each signed by the one before it"

    def origin_at(self, index):
        """Of which log a leaf is: this one, or the innermost former one that it was kept from."""
        within = [f.origin for f in self.formers if f.start <= index < f.start + f.kept]
        return within[-1] if within else self.origin

    def beginning(self):
        """A log that began again after a restore holds the former one's last checkpoint and first leaves."""
        words, above = [], self.origin
        for index, leaf in self.of_type("log"):
            former = self.formers[index] if index < len(self.formers) else None
            if not former or leaf["origin"] != above or (index == 0 and leaf["kept"] > len(self.leaves) - 1):
                raise Violated(f"leaf {index}: the former log stands in the wrong place", index)
            last = former.last
            seen = [self.origin] + [f.origin for f in self.formers[:index]]
            if not last or last.size < leaf["kept"] or last.origin in seen:
                raise Violated(f"leaf {index}: the former log's checkpoint doesn't fit", index)
            if last.size == former.kept and not former.holds(last):
                raise Violated(f"leaf {index}: the leaves kept aren't those of the former log", index)
            older = [c for c in self.older if c.origin == last.origin]
            signed = [c for c in (last, *older) if former.signed(c)]
            had = max(c.size for c in (last, *signed))
            text = (f"this log began again after a restore: of the {had} entries of {last.origin}, the last "
                    f"{had - former.kept} are lost")
            if last not in signed:
                text += "; no key that is known signed its last checkpoint: its key may have been announced among what was lost"
            if former.kept and not any(c.size == former.kept for c in signed):
                text += "; that the kept entries are unchanged is the operator's word"
            words.append(text)
            above = last.origin
        return None, ". ".join(words)

    def chains(self, name, what, *types):
        newest, count = {}, 0
        for index, leaf in self.of_type(*types):
            last = newest.get(leaf[name])
            if leaf["previous"] != last:
                if last is None:
                    words = "is the first and names a previous one"
                else:
                    words = "doesn't name the previous one"
                raise Violated(f"leaf {index}: the chain of {what} {leaf[name]} is broken: it {words}", index)
            newest[leaf[name]] = base64url(self.hashes[index])
            count += 1
        return f"{count} leaves in {len(newest)} chains"

    def check_documents(self):
        there = set()
        for index, content in self.documents:
            if index >= len(self.leaves) or not is_hash(self.values[index].get("content")):
                inside = index if index < len(self.leaves) else None
                raise Violated(f"a document is of leaf {index}, which commits to none", inside)
            try:
                digest = base64url(hashlib.sha256(canonical(content)).digest())
            except (ValueError, OverflowError, RecursionError):
                digest = None
            if digest != self.values[index]["content"]:
                raise Violated(f"the document of leaf {index} isn't the one that was published", index)
            if index in there:
                raise Violated(f"the file has two documents of leaf {index}", index)
            there.add(index)
        kinds = ("notice", "register", "pause", "resume", "petition", "answer")
        missing = [(i, leaf["t"]) for i, leaf in self.of_type(*kinds, "check")
                   if i not in there and (leaf["t"] != "check" or is_hash(leaf.get("content")))]
        for index, kind in missing:
            if kind == "notice":
                raise Violated(f"the document of leaf {index} is missing, and a notice's is always public", index)
        if len(missing) != self.withheld:
            raise Violated(f"{len(missing)} documents are missing, and {self.withheld} are said to be withheld",
                           missing[0][0] if missing else None)
        note = f"; {self.withheld} are withheld and not checked" if self.withheld else ""
        return f"{len(self.documents)} documents are those that the leaves commit to{note}"


    def book(self):
        kinds = self.of_type("key", *petitions.KINDS)
        leaves = [(index, base64url(self.hashes[index]), leaf) for index, leaf in kinds if leaf.get("role") != "log"]
        return petitions.Book(self.origin, leaves)


def judged(check, *arguments):
    """A check of petitions as one of this report."""
    try:
        return check(*arguments)
    except petitions.Fault as fault:
        raise Violated(fault.words, fault.leaf) from None


def canonical_fault(leaf):
    try:
        value = parse_json(leaf.decode())
        if canonical(value) != leaf:
            return "written in another way"
    except (ValueError, OverflowError, RecursionError):
        return "can't be read"
    return uncountable(value)


def uncountable(value):
    if isinstance(value, (dict, list)):
        inner = value.values() if isinstance(value, dict) else value
        return next(filter(None, map(uncountable, inner)), None)
    whole = not isinstance(value, float) and (not isinstance(value, int) or abs(value) <= LARGEST_INTEGER)
    return None if whole else "a number that isn't an integer below 2^53"


# Proofs ---------------------------------------------------------------------------------------------------


class Proof:
    """C2SP tlog-proof@v1 whose extra data are the leaf's bytes."""

    def __init__(self, text):
        head, blank, checkpoint = text.partition("\n\n")
        lines = head.split("\n")
        if not blank or lines.pop(0) != "c2sp.org/tlog-proof@v1":
            raise Unreadable("not a tlog-proof")
        if not lines or not lines[0].startswith("extra "):
            raise Unreadable("the proof doesn't hold its leaf")
        self.leaf = unbase64(lines.pop(0)[6:], "the proof's leaf")
        if not lines or not lines[0].startswith("index "):
            raise Unreadable("the proof has no index")
        self.index = decimal(lines.pop(0)[6:], "the proof's index")
        self.path = [unbase64(line, "the proof's path") for line in lines]
        if any(len(sibling) != 32 for sibling in self.path) or len(self.path) > 63:
            raise Unreadable("the proof's path can't be read")
        self.checkpoint = Checkpoint(checkpoint)

    def check_path(self):
        root = root_from_path(self.index, self.checkpoint.size, leaf_hash(self.leaf), self.path)
        if root != self.checkpoint.root:
            raise Violated(f"leaf {self.index} isn't in the log that the proof's checkpoint speaks of")
        fault = canonical_fault(self.leaf)
        if fault:
            raise Violated(f"the proof's leaf isn't canonical JSON: {fault}", self.index)
        return f"leaf {self.index} is in the log of {self.checkpoint.size}: {self.leaf.decode()}"

    def check_policy(self, policy):
        policy.check_log(self.checkpoint)
        seen = policy.check_quorum(self.checkpoint)
        return f"size {self.checkpoint.size}, cosigned by {', '.join(seen) or 'none'}"

    def check_export(self, export):
        if self.checkpoint.size > len(export.tree):
            return None, "the proof is newer than the export"
        export.check_root(self.checkpoint, "the proof's checkpoint")
        if export.leaves[self.index:self.index + 1] != [self.leaf]:
            raise Violated(f"the export has another leaf {self.index} than the proof", self.index)
        return f"the export has the same leaf {self.index}"


class Displayed:
    """What a petition's page gives as JSON."""

    def __init__(self, text):
        try:
            value = parse_json(text)
            self.leaf = value["petition_leaf"] if "petition_leaf" in value else value["leaf_hash"]
            self.signatures = value["signatures"]
        except (ValueError, KeyError, TypeError):
            raise Unreadable("not a petition's file: it has no leaf_hash and signatures") from None


# Reports --------------------------------------------------------------------------------------------------


class Report:
    def __init__(self):
        self.rows, self.not_proven = [], list(NOT_PROVEN)

    def run(self, name, check, *arguments):
        row = {"check": name, "state": "holds", "words": "", "leaf": None, "between": None}
        try:
            words = check(*arguments)
            if isinstance(words, tuple):
                row["state"], words = "not checked", words[1]
            row["words"] = words
        except Violated as fault:
            row.update(state="violated", words=fault.words, leaf=fault.leaf, between=fault.between)
        self.rows.append(row)

    def result(self):
        first = next((row for row in self.rows if row["state"] == "violated"), None)
        return {
            "exit": 1 if first else 0,
            "verdict": "violated" if first else "holds",
            "leaf": first["leaf"] if first else None,
            "between": list(first["between"]) if first and first["between"] else None,
            "checks": self.rows,
            "not_proven": self.not_proven,
        }


def unreadable(error):
    return {"exit": 2, "verdict": "unreadable", "leaf": None, "between": None, "words": str(error),
            "checks": [], "not_proven": []}


def verify_export(data, policy=None, since=None, proof=None, petition=None):
    """The result for an export's bytes and, where given, the texts of the other files."""
    try:
        export = Export(data)
        own_word = policy is None
        policy = Policy(export.header["policy"] if own_word else policy)
        since = None if since is None else Checkpoint(since)
        proof = None if proof is None else Proof(proof)
        displayed = None if petition is None else Displayed(petition)
    except Unreadable as error:
        return unreadable(error)
    report = Report()
    if own_word:
        report.not_proven.append(OWN_WORD)
    if policy.quorum == "none":
        report.not_proven.append(NO_WITNESS)
    whose = "the export's own policy: the keys are its own word" if own_word else "the policy you gave"
    report.run("policy", lambda: whose)
    report.run("signature", export.signature, policy)
    report.run("witnesses", export.quorum, policy)
    report.run("leaves", export.leaves_and_tiles)
    report.run("tree", export.roots)
    if any(export.of_type("log")):
        report.run("beginning", export.beginning)
    report.run("older checkpoints", export.older_checkpoints)
    if since is not None:
        report.run("your checkpoint", export.since, since)
    report.run("canonical", export.canonical_leaves)
    report.run("keys", export.keys)
    report.run("notices", export.chains, "notice", "notice", "notice")
    report.run("processings", export.chains, "processing", "processing", "register", "pause", "resume")
    report.run("petitions' versions", export.chains, "petition", "petition", "petition")
    book = export.book()
    if book.leaves:
        book.read()
        report.run("petitions' signatures", judged, book.statements)
        report.run("petitions", judged, book.rules)
        report.run("petitions' tallies", judged, book.tallies)
        if book.announced_anew:
            report.run("issuers' keys", book.new_speakers)
        if book.stands_still():
            report.run("employer's clock", book.clocks)
        report.not_proven += petitions.NOT_PROVEN
    if displayed is not None:
        report.run("displayed count", judged, book.displayed, displayed.leaf, displayed.signatures)
    report.run("documents", export.check_documents)
    if proof is not None:
        report.run("proof's signatures", proof.check_policy, policy)
        report.run("proof's path", proof.check_path)
        report.run("proof and export", proof.check_export, export)
    return report.result()


def verify_proof(text, vkey, witnesses):
    try:
        proof = Proof(text)
        lines = [f"log {vkey}"] + [f"witness w{i} {key}" for i, key in enumerate(witnesses)]
        names = " ".join(f"w{i}" for i in range(len(witnesses)))
        lines += [f"group all all {names}", "quorum all"] if witnesses else ["quorum none"]
        policy = Policy("\n".join(lines))
    except Unreadable as error:
        return unreadable(error)
    report = Report()
    report.run("proof's signatures", proof.check_policy, policy)
    report.run("proof's path", proof.check_path)
    return report.result()


def show(result, as_json):
    if as_json:
        print(json.dumps(result, ensure_ascii=False))
        return result["exit"]
    for row in result["checks"]:
        print(f"{row['state'].upper():12} {row['check']}: {row['words']}")
    for words in result["not_proven"]:
        print(f"{'NOT PROVEN':12} {words}")
    place = "" if result["leaf"] is None else f" at leaf {result['leaf']}"
    print(f"{result['verdict'].upper()}{place} {result.get('words', '')}".rstrip())
    return result["exit"]


# Comparing with what is expected --------------------------------------------------------------------------


def judge(folder):
    """Verifies what `generate` made; prints where this program disagrees with expected.json."""
    expected = json.loads((folder / "expected.json").read_text())
    wrong = 0

    def text(name):
        return None if name is None else (folder / name).read_text()

    for name, case in expected.items():
        export, proof = (case["export"], name) if "export" in case else (name, None)
        data = (folder / export).read_bytes()
        result = verify_export(data, text(case.get("policy")), text(case.get("since")), text(proof),
                               text(case.get("petition")))
        said = json.dumps(result, ensure_ascii=False).lower()
        faults = [f"{key} {result[key]}, not {case[key]}"
                  for key in ("exit", "leaf", "between") if result[key] != case[key]]
        faults += [f"doesn't say {word!r}" for word in case["words"] if word.lower() not in said]
        if faults:
            wrong += 1
            print(f"{name} ({case['about']}): {'; '.join(faults)}\n    {said[:600]}")
    print(f"{len(expected)} files, {wrong} disagreements")
    return 1 if wrong else 0


def check_vectors(path):
    """Checks this program's parts against vectors that others published."""
    vectors = json.loads(path.read_text())
    if isinstance(vectors, list):
        petitions.check_vectors(vectors)
        print("all vectors hold")
        return 0
    merkle = vectors["merkle"]
    hashes = [leaf_hash(bytes.fromhex(leaf)) for leaf in merkle["leaves"]]
    roots = [bytes.fromhex(root) for root in merkle["roots"]]
    tree = Tree(hashes)
    assert [tree.root(size) for size in range(len(hashes) + 1)] == roots
    for case in merkle["inclusion"]:
        proof = [bytes.fromhex(sibling) for sibling in case["proof"]]
        assert tree.path(case["index"], case["size"]) == proof, case
        assert root_from_path(case["index"], case["size"], hashes[case["index"]], proof) == roots[case["size"]]
    for case in merkle["consistency"]:
        proof = [bytes.fromhex(sibling) for sibling in case["proof"]]
        first, second = case["first"], case["second"]
        assert is_consistent(first, second, roots[first], roots[second], proof), case
        for wrong in (proof + [roots[1]], proof[:-1], [roots[0]] + proof[1:]):
            assert proof == [] or not is_consistent(first, second, roots[first], roots[second], wrong), case
    for case in vectors["keys"]:
        try:
            key = Key.parse(case["vkey"])
            assert case["valid"] and (key.name, key.id.hex(), key.kind) == (case["name"], case["id"], case["type"])
        except Unreadable:
            assert not case["valid"], case
    for case in vectors["notes"]:
        try:
            note = Note(case["note"])
        except Unreadable:
            assert not case["parses"], case
            continue
        assert case["parses"], case
        named = [[name, identity.hex()] for name, identity, _ in note.signatures]
        assert note.text == case["text"] and named == case["signatures"], case
        for check in case["checks"]:
            try:
                holds = Key.parse(check["vkey"]).signed(note)
            except Violated:
                holds = False
            assert holds == check["holds"], case
        if "checkpoint" in case:
            checkpoint = Checkpoint(case["note"])
            got = {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex()}
            assert got == case["checkpoint"], case
        for line, seconds in case.get("times", {}).items():
            assert int.from_bytes(note.signatures[int(line)][2][:8], "big") == seconds, case
    for case in vectors["canonical"]:
        assert canonical(parse_json(case["input"])).decode() == case["output"], case
    print("all vectors hold")
    return 0


def main():
    parser = argparse.ArgumentParser(description="Verifies Daylight's log, independently.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("export")
    command.add_argument("file", type=Path)
    for option in ("--policy", "--since", "--proof", "--petition"):
        command.add_argument(option, type=Path)
    command.add_argument("--json", action="store_true")
    command = commands.add_parser("proof")
    command.add_argument("file", type=Path)
    command.add_argument("--vkey", required=True)
    command.add_argument("--witness", action="append", default=[])
    command.add_argument("--json", action="store_true")
    command = commands.add_parser("receipt")
    command.add_argument("file", type=Path)
    command.add_argument("--policy", type=Path)
    command.add_argument("--json", action="store_true")
    for name in ("generate", "judge", "vectors"):
        commands.add_parser(name).add_argument("file", type=Path)
    given = parser.parse_args()
    if given.command == "generate":
        import forge

        return forge.generate(given.file)
    if given.command == "judge":
        return judge(given.file)
    if given.command == "vectors":
        return check_vectors(given.file)
    try:
        if given.command == "proof":
            return show(verify_proof(given.file.read_text(), given.vkey, given.witness), given.json)
        if given.command == "receipt":
            import receipt

            policy = given.policy and given.policy.read_text()
            return show(receipt.verify_receipt(given.file.read_bytes(), policy), given.json)
        others = [path and path.read_text() for path in (given.policy, given.since, given.proof, given.petition)]
        return show(verify_export(given.file.read_bytes(), *others), given.json)
    except (OSError, UnicodeDecodeError) as error:
        return show(unreadable(error), given.json)


if __name__ == "__main__":
    sys.exit(main())
