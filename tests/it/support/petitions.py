"""What the independent verifier (verify.py) checks of petitions: epochs, rolls, packs, versions, signatures, tallies.

Written from docs/ledger.md, RFC 9474, RFC 9577 and RFC 9578; shares no code with Daylight. First the rules that need
no cryptography, leaf by leaf; what is signed is gathered meanwhile and checked after that.
"""

import base64
import binascii
import datetime
import hashlib
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA384

SLOTS, FEW = 16, 5
ISSUERS = ("operator", "representative")
KINDS = ("epoch", "roll", "issue", "petition", "check", "sign", "withdraw", "reached", "answer", "close")
NOT_PROVEN = [
    "that a petition's two issuers did not work together: both at once could make up to as many signatures as packs "
    "were given out and not used",
    "that the operator and the representative are independent of each other: a file can't tell who runs a machine",
]
# SubjectPublicKeyInfo around a modulus of 2048 bits, e = 65537: RSASSA-PSS, SHA-384, MGF1 with SHA-384, salt 48.
SPKI_HEAD = bytes.fromhex(
    "30820152303d06092a864886f70d01010a3030a00d300b0609608648016503040202a11a301806092a864886f70d010108300b06096086"
    "48016503040202a2030201300382010f003082010a0282010100")
SPKI_TAIL = bytes.fromhex("0203010001")
NUMBER_GROWS = "its key has done this or something later already: the number doesn't grow"


class Fault(Exception):
    def __init__(self, words, leaf):
        super().__init__(words)
        self.words, self.leaf = words, leaf


def bytes_of(text):
    """base64url without padding in its one right form, or nothing at all."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
    return data if base64.urlsafe_b64encode(data).decode().rstrip("=") == text else b""


def is_plain(name):
    return re.fullmatch(r"[^\x00-\x1f\x7f]+", name) is not None


def is_utc(text):
    """A time of RFC 3339 in UTC, with or without a fraction, and without leap seconds."""
    shape = re.fullmatch(r"([0-9]{4})(-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?Z", text)
    if not shape:
        return False
    try:
        # Python knows no year 0, which is as long as the year 2000.
        datetime.datetime.strptime(shape[1].replace("0000", "2000") + shape[2], "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return False
    return shape[2][-2:] < "60"


def ed25519(key, signature, message):
    try:
        Ed25519PublicKey.from_public_bytes(bytes_of(key)).verify(bytes_of(signature), message.encode())
        return True
    except (InvalidSignature, ValueError):
        return False


def key_id(modulus):
    return hashlib.sha256(SPKI_HEAD + modulus + SPKI_TAIL).digest()


def prefixed(text):
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def challenge(issuer, epoch, group, slot, origin):
    """SHA-256 of the TokenChallenge of RFC 9577, section 2.1."""
    context = hashlib.sha256(f"daylight-slot\0{epoch}\0{group}\0{slot}".encode()).digest()
    return hashlib.sha256(b"\x00\x02" + prefixed(issuer) + b"\x20" + context + prefixed(origin)).digest()


def token_input(nonce, digest, modulus):
    return b"\x00\x02" + nonce + digest + key_id(modulus)


def rsa_holds(modulus, signature, message):
    """RSASSA-PSS with SHA-384 and a salt of 48 bytes, which a blind signature of RFC 9474 is once it is unblinded."""
    try:
        key = RSAPublicNumbers(65537, int.from_bytes(modulus, "big")).public_key()
        key.verify(signature, message, PSS(MGF1(SHA384()), 48), SHA384())
        return True
    except (InvalidSignature, ValueError):
        return False


def token_holds(modulus, digest, nonce, token):
    return rsa_holds(modulus, bytes_of(token), token_input(bytes_of(nonce), digest, modulus))


def check_vectors(vectors):
    """RFC 9474, appendix A, in the variants with a salt of 48 bytes."""
    cases = [case for case in vectors if "-PSS-" in case["name"]]
    assert len(cases) == 2
    for case in cases:
        modulus, signature, message = (bytes.fromhex(case[name].removeprefix("0x"))
                                       for name in ("n", "sig", "input_msg"))
        assert rsa_holds(modulus, signature, message), case["name"]
        assert not rsa_holds(modulus, signature, message + b"\0"), case["name"]
        assert not rsa_holds(modulus, bytes([signature[0] ^ 1]) + signature[1:], message), case["name"]


def lines(*words):
    return "".join(f"{word}\n" for word in words)


def epoch_message(origin, leaf):
    said = []
    for issuer in ISSUERS:
        digest = hashlib.sha256("\n".join(leaf[issuer]["keys"]).encode()).digest()
        said += [leaf[issuer]["name"], base64.urlsafe_b64encode(digest).decode().rstrip("=")]
    return lines("daylight-epoch/v1", origin, leaf["epoch"], leaf["group"], *said)


def roll_message(origin, leaf):
    return lines("daylight-roll/v1", origin, leaf["epoch"], leaf["version"], leaf["size"], leaf["root"])


def issue_message(origin, issuer, leaf):
    return lines("daylight-issue/v1", origin, leaf["epoch"], issuer, leaf["index"], leaf["request"])


def petition_message(origin, leaf):
    return lines("daylight-petition/v1", origin, leaf["petition"], leaf["version"], leaf["content"])


def sign_message(origin, leaf):
    return lines("daylight-sign/v1", origin, leaf["petition"], leaf["mode"], leaf["disclosure"], leaf["number"],
                 leaf["signer"] or "-")


def withdraw_message(origin, leaf):
    return lines("daylight-withdraw/v1", origin, leaf["petition"], leaf["number"])


class Petition:
    def __init__(self, leaf):
        self.version, self.place = 0, (leaf["epoch"], leaf["slot"])
        self.author = leaf["author"] and leaf["author"]["key"]
        self.newest = self.outcome = self.answer = None
        self.closed, self.answers, self.standing, self.signers = False, 0, set(), {}
        self.threshold, self.clock, self.was_reached = None, None, False
        self.keys = {}  # by key: the version and the number of its last action


class Book:
    """`leaves`: (index, leaf hash as text, leaf) of each leaf of these kinds and of issuers' keys, in their order."""

    def __init__(self, origin, leaves):
        self.origin, self.leaves, self.speaker = origin, leaves, None
        self.epochs, self.newest_epoch, self.moduli = {}, None, set()
        self.petitions, self.versions, self.slots, self.authors = {}, {}, {}, {}
        self.closes, self.signed, self.fault = [], [], None
        self.announced = set()
        self.announced_anew = {}  # by index: whose key it is

    def must(self, holds, words):
        if not holds:
            raise Fault(f"leaf {self.index}: {words}", self.index)

    # First the rules that need no cryptography

    def read(self):
        try:
            self.follow()
        except Fault as fault:
            self.fault = fault

    def follow(self):
        for self.index, self.hash, leaf in self.leaves:
            if leaf["t"] == "key":
                if leaf["previous"] is None and leaf["role"] in self.announced:
                    self.announced_anew[self.index] = leaf["role"]
                self.announced.add(leaf["role"])
                if leaf["role"] == "representative":
                    self.speaker = leaf["public_key"]
                self.origin = leaf["origin"]
            else:
                getattr(self, leaf["t"])(leaf)

    def rules(self):
        if self.fault:
            raise self.fault
        packs = [sum(len(epoch["issued"][issuer]) for epoch in self.epochs.values()) for issuer in ISSUERS]
        return (f"{len(self.epochs)} epochs, {packs[0]} packs by the operator and {packs[1]} by the representative, "
                f"{len(self.petitions)} petitions, {len(self.signed)} statements to check")

    def new_speakers(self):
        """Keys that the one before didn't appoint: lawful, and nobody can see whether it was right."""
        said = []
        for index, role in self.announced_anew.items():
            whose, side = (("another representative's key", "the workers' side") if role == "representative"
                           else ("another key of the operator", "the one before it"))
            said.append(f"{whose} was announced here (leaf {index}); that {side} agreed isn't shown by the log")
        return None, "; ".join(said)

    def later(self, words, check, *arguments):
        self.signed.append((self.index, words, check, arguments))

    def by_representative(self, message, signature):
        words = "the representative's key that is valid here didn't sign it"
        self.later(words, ed25519, self.speaker or "", signature or "", message)

    def tokens(self, epoch, slot, credential):
        known = self.epochs[epoch]
        for issuer in ISSUERS:
            digest = challenge(known["names"][issuer], epoch, known["group"], slot, self.origin)
            modulus = known["keys"][issuer][slot]
            words = f"the {issuer}'s token isn't one for this slot and this key"
            self.later(words, token_holds, modulus, digest, credential["key"], credential[issuer])

    def epoch(self, leaf):
        self.must(leaf["previous"] == self.newest_epoch, "it doesn't continue the epoch before it")
        names = [leaf["epoch"], leaf["group"], leaf["operator"]["name"], leaf["representative"]["name"]]
        self.must(all(map(is_plain, names)), "a name can't be read")
        self.must(leaf["epoch"] not in self.epochs, "this epoch began before")
        known = {"group": leaf["group"], "versions": 0, "size": 0, "names": {}, "keys": {}, "started": {},
                 "issued": {issuer: set() for issuer in ISSUERS}}
        for issuer in ISSUERS:
            moduli = [bytes_of(text) for text in leaf[issuer]["keys"]]
            self.must(len(moduli) == SLOTS, "an issuer doesn't have 16 keys")
            for modulus in moduli:
                whole = len(modulus) == 256 and modulus[0] & 128 and modulus[255] & 1
                self.must(whole, "a token key isn't an RSA key of 2048 bits")
                self.must(modulus not in self.moduli, "a token key was used before, so that it could mark people")
                self.moduli.add(modulus)
            known["names"][issuer], known["keys"][issuer] = leaf[issuer]["name"], moduli
        self.by_representative(epoch_message(self.origin, leaf), leaf["signature"])
        self.epochs[leaf["epoch"]], self.newest_epoch = known, self.hash

    def known_epoch(self, leaf):
        self.must(leaf["epoch"] in self.epochs, "no leaf before it announces its epoch")
        return self.epochs[leaf["epoch"]]

    def roll(self, leaf):
        epoch = self.known_epoch(leaf)
        self.must(leaf["version"] == epoch["versions"] + 1, "its version doesn't follow the one before it")
        self.must(leaf["size"] >= epoch["size"], "the roll shrank: nobody is taken off it within an epoch")
        self.by_representative(roll_message(self.origin, leaf), leaf["signature"])
        epoch["versions"], epoch["size"] = leaf["version"], leaf["size"]

    def issue(self, leaf):
        epoch = self.known_epoch(leaf)
        issued = epoch["issued"][leaf["issuer"]]
        self.must(leaf["index"] < epoch["size"], "a pack for a place that isn't on the roll")
        self.must(leaf["index"] not in issued, "a second pack for the same place on the roll")
        issued.add(leaf["index"])
        if leaf["issuer"] == "operator":
            self.must(leaf["signature"] is None, "the operator's pack carries a signature that nobody checks")
        else:
            message = issue_message(self.origin, epoch["names"]["representative"], leaf)
            self.by_representative(message, leaf["signature"])

    def petition(self, leaf):
        epoch, author = self.known_epoch(leaf), leaf["author"]
        self.must(1 <= leaf["slot"] < SLOTS, "petitions have the slots 1 to 15")
        whole = (author is None) == (leaf["signature"] is None)
        self.must(whole, "an author without a name has a credential and signs")
        is_new = leaf["petition"] not in self.petitions
        petition = self.petitions.setdefault(leaf["petition"], Petition(leaf))
        self.must(leaf["version"] == petition.version + 1, "its version doesn't follow the one before it")
        place = (leaf["epoch"], leaf["slot"])
        self.must(place == petition.place, "a petition's versions have one epoch and one slot")
        self.must((author and author["key"]) == petition.author, "a petition's versions have one author")
        ended = petition.outcome or petition.closed
        self.must(not ended, "a petition that was checked or closed has no new version")
        self.must(self.slots.setdefault(place, petition) is petition, "another petition has this slot")
        if author:
            own = self.authors.setdefault((leaf["epoch"], author["key"]), petition)
            self.must(own is petition, "its author began another petition with the same credential")
            if is_new:
                epoch["started"][author["key"]] = self.index
            words = "it isn't signed by the key of its author"
            self.later(words, ed25519, author["key"], leaf["signature"], petition_message(self.origin, leaf))
            self.tokens(leaf["epoch"], 0, author)
        petition.version, petition.newest, petition.standing = leaf["version"], self.hash, set()
        self.versions[self.hash] = petition

    def newest(self, leaf):
        petition = self.versions.get(leaf["petition"])
        self.must(petition, "no leaf before it holds this version of a petition")
        replaced = "a newer version of this petition replaced the one it is about"
        self.must(petition.newest == leaf["petition"], replaced)
        return petition

    def check(self, leaf):
        petition = self.newest(leaf)
        self.must(petition.outcome is None, "the petition was checked before")
        self.must(not petition.closed, "the petition was closed before")
        fits = (leaf["outcome"] == "refused") == (leaf["code"] is not None)
        self.must(fits, "a refusal names a rule, and nothing else does")
        fits = (leaf["outcome"] == "refused") == (leaf["content"] is not None)
        self.must(fits, "a refusal commits to its words, and nothing else does")
        self.must(is_utc(leaf["closes_at"]), "its close isn't a time of RFC 3339 in UTC")
        size = self.epochs[petition.place[0]]["size"]
        wanted = max(10, -(-size // 10))
        self.must(leaf["outcome"] == "refused" or leaf["threshold"] == wanted,
                  f"its threshold isn't a tenth of the roll, and ten at least: for {size} people that is {wanted}")
        petition.outcome = leaf["outcome"]
        if leaf["outcome"] == "opened":
            petition.threshold = leaf["threshold"]
            self.counted(petition)

    def counted(self, petition):
        """After each leaf that changes how many stand."""
        if petition.threshold is not None and len(petition.standing) >= petition.threshold:
            petition.was_reached = True

    def reached(self, leaf):
        petition = self.newest(leaf)
        standing = len(petition.standing)
        self.must(not petition.closed, "the petition was closed before")
        self.must(petition.outcome != "refused", "the petition was refused before")
        self.must(petition.clock is None, "the employer's clock runs already: it starts once")
        self.must(petition.threshold is not None, "the petition wasn't opened, so that it has no threshold")
        self.must(standing >= petition.threshold,
                  f"{standing} signatures stand here, and the threshold is {petition.threshold}")
        self.must(leaf["signatures"] == standing,
                  f"it says that {leaf['signatures']} signatures stand, and by the leaves it is {standing}")
        self.must(is_utc(leaf["answer_due_at"]), "the day of the answer isn't a time of RFC 3339 in UTC")
        petition.clock = leaf["answer_due_at"]

    def clocks(self):
        """Thresholds that were reached, and no clock. Within a batch more may stand than after it."""
        late = [p.newest[:12] for p in self.petitions.values() if p.was_reached and p.clock is None]
        return None, "; ".join(f"petition {name}: its threshold was reached, and the clock hasn't started by the end of "
                               "this log" for name in late)

    def stands_still(self):
        return not self.fault and any(p.was_reached and p.clock is None for p in self.petitions.values())

    def act(self, petition, leaf, key):
        """A key's next action."""
        self.must(not petition.closed, "the petition was closed before")
        self.must(petition.outcome != "refused", "the petition was refused before")
        # A key under two petitions harms only whoever derived it so: each petition counts it once.
        version, number = petition.keys.get(key, (0, 0))
        last = number if version == petition.version else 0
        self.must(leaf["number"] > last, NUMBER_GROWS)
        petition.keys[key] = (petition.version, leaf["number"])

    def sign(self, leaf):
        confidential = leaf["mode"] == "confidential"
        fits = confidential == (leaf["disclosure"] == "nobody") and confidential == (leaf["signer"] is None)
        self.must(fits, "its mode, what it discloses and its signer don't fit together")
        petition, key = self.newest(leaf), leaf["credential"]["key"]
        self.act(petition, leaf, key)
        petition.standing.add(key)
        self.counted(petition)
        petition.signers.setdefault(key, self.index)
        words = "it isn't signed by the key it names"
        self.later(words, ed25519, key, leaf["signature"], sign_message(self.origin, leaf))
        self.tokens(*petition.place, leaf["credential"])

    def withdraw(self, leaf):
        petition = self.newest(leaf)
        self.act(petition, leaf, leaf["key"])  # it may never have signed: what it did before waited, and was replaced
        petition.standing.discard(leaf["key"])
        words = "it isn't signed by the key it names"
        self.later(words, ed25519, leaf["key"], leaf["signature"], withdraw_message(self.origin, leaf))

    def answer(self, leaf):
        petition = self.newest(leaf)
        follows = leaf["number"] == petition.answers + 1 and leaf["previous"] == petition.answer
        self.must(follows, "it doesn't continue the employer's answer before it")
        petition.answers, petition.answer = leaf["number"], self.hash

    def close(self, leaf):
        petition = self.newest(leaf)
        self.must(not petition.closed, "the petition was closed before")
        petition.closed = True
        missed = petition.clock is None and petition.threshold is not None and len(petition.standing) >= petition.threshold
        self.must(not missed, "the petition was closed with its threshold reached, and the employer's clock never started")
        self.closes.append((self.index, leaf["signatures"], len(petition.standing)))

    # Then what is signed, and what the leaves add up to

    def statements(self):
        for self.index, words, check, arguments in self.signed:
            self.must(check(*arguments), words)
        return f"{len(self.signed)} signatures and tokens"

    def tallies(self):
        if self.fault:
            return None, "the leaves were read up to a fault only"
        for self.index, said, standing in self.closes:
            hidden = said == 0 and standing < FEW  # fewer than five are told nobody, also not at the end
            self.must(said == standing or hidden, f"it says that {said} signatures stand, and by the leaves it is {standing}")
        words = []
        for epoch in self.epochs.values():
            least = min(map(len, epoch["issued"].values()))
            for self.index in list(epoch["started"].values())[least:]:
                self.must(False, "more petitions were begun without a name than packs were given out")
        for petition in self.petitions.values():
            epoch = self.epochs[petition.place[0]]
            packs = [len(epoch["issued"][issuer]) for issuer in ISSUERS]
            for self.index in list(petition.signers.values())[min(packs):]:
                self.must(False, f"{len(petition.signers)} keys signed, and packs were given out {packs[0]} times by "
                                 f"the operator and {packs[1]} times by the representative")
            words.append(f"petition {petition.newest[:12]}, version {petition.version}: signatures that stand: "
                         f"{len(petition.standing)}; packs: {packs[0]} by the operator, {packs[1]} by the representative; "
                         f"roll of {petition.place[0]}: {epoch['size']}")
        return "; ".join(words)

    def displayed(self, petition_leaf, signatures):
        """A count that a page displayed."""
        if self.fault:
            return None, "the leaves were read up to a fault only"
        petition = self.versions.get(petition_leaf)
        if petition is None or petition.newest != petition_leaf:
            raise Fault("the petition's version is unknown, or was replaced", None)
        standing = len(petition.standing)
        if signatures != standing and not (signatures is None and standing < FEW):
            raise Fault(f"{signatures} were displayed, and by the leaves {standing} signatures stand", None)
        return f"{'none' if signatures is None else signatures}, as by the leaves"
