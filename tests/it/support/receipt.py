"""A worker's receipt, judged without any of Daylight's code; `verify.py receipt FILE` calls it.

Written from docs/ledger.md, the field lists of ISO/IEC TS 27560 and Kantara's Consent Receipt 1.1.
"""

import base64
import hashlib
import json
import re
from datetime import datetime, timezone

from verify import (
    OWN_WORD, UUID, Policy, Proof, Report, Unreadable, Violated, base64url, canonical, is_hash, no_constant,
    uncountable, unreadable,
)

STATES = ("given", "refused", "deferred", "withdrawn", "expired", "renewed", "objected", "upheld", "overridden",
          "contested")
CONSENT = {"given": "ConsentGiven", "refused": "ConsentRefused", "deferred": "ConsentRequestDeferred",
           "withdrawn": "ConsentWithdrawn", "expired": "ConsentExpired", "renewed": "RenewedConsentGiven"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z")
CLOCKS_DIFFER = 600  # seconds
RECEIPT = "https://w3id.org/dpv/schema/dpv-27560#receipt"


def once(pairs):
    """An object whose keys occur once."""
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError("a key occurs twice")
    return dict(pairs)


def read(data):
    try:
        file = json.loads(data.decode(), object_pairs_hook=once, parse_constant=no_constant)
        canonical(file)
    except (ValueError, OverflowError, RecursionError) as error:
        raise Unreadable(f"not JSON that every parser reads alike: {error}") from None
    if not isinstance(file, dict) or file.get("schema") != "daylight-receipt/1":
        raise Unreadable("not a receipt in the format daylight-receipt/1")
    return file


def members(value, *names):
    if not isinstance(value, dict) or set(value) != set(names):
        raise Violated(f"the members are not {', '.join(names)}")
    return value


def seconds(moment):
    if not isinstance(moment, str) or not MOMENT.fullmatch(moment):
        raise Violated("a time isn't written as it must be")
    try:
        whole = datetime.strptime(moment[:19], "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        raise Violated("a time that there isn't") from None
    return int(whole.replace(tzinfo=timezone.utc).timestamp())


def sha256(value):
    try:
        return base64url(hashlib.sha256(canonical(value)).digest())
    except (ValueError, OverflowError, RecursionError):
        return None


def term(basis, state):
    """How a record says a state: in terms of consent only where the processing rests on it."""
    objected = {"eu-gdpr:A6-1-f": "dpv:LegitimateInterestObjected", "eu-gdpr:A6-1-e": "dpv:PublicInterestObjected"}
    if basis == "eu-gdpr:A6-1-a" and state in CONSENT:
        return f"dpv:{CONSENT[state]}"
    return objected.get(basis, "daylight:objected") if state == "objected" else f"daylight:{state}"


class Receipt:
    def __init__(self, file):
        self.file = file
        if uncountable(file):
            raise Violated("a number that isn't whole")
        self.on_consent = file.get("type") == "consent receipt"
        parts = ("receipt", "kantara") if self.on_consent else ("record",)
        members(file, "schema", "type", "opening", "salt", "proof", *parts)
        if self.on_consent:
            names = ("@context", "@id", "@type", "schema_version", "receipt_id", "record")
            self.receipt = members(file["receipt"], *names)
        elif file["type"] != "record of a choice":
            raise Violated("neither a consent receipt nor a record of a choice")
        self.record = self.receipt["record"] if self.on_consent else file["record"]
        self.salt = base64.urlsafe_b64decode(file["salt"] + "=") if is_hash(file["salt"]) else None
        if not self.salt:
            raise Violated("the salt isn't 32 bytes")
        try:
            self.purpose, self.event = self.record["purposes"][0], self.record["event"][0]
            self.basis = self.purpose["lawful_basis"]
            names = ("@context", "privacy_notice", "processing", "decision")
            places = [self.record[name] for name in names] + [self.event]
        except (KeyError, IndexError, TypeError):
            raise Violated("the record lacks its purposes or its event") from None
        if not isinstance(self.basis, str) or not all(isinstance(place, dict) for place in places):
            raise Violated("the record's parts are not of their kinds")
        if (self.basis == "eu-gdpr:A6-1-a") != self.on_consent:
            raise Violated("the type doesn't say on what the processing rests")

    def rewritten(self):
        """The parts for other programs say what the record says."""
        if not self.on_consent:
            return "no consent is claimed"
        own = self.receipt
        identity = own["receipt_id"]
        frame = {"@context": self.record["@context"], "@id": f"urn:uuid:{identity}", "@type": "dpv:ConsentReceipt",
                 "schema_version": RECEIPT, "receipt_id": identity, "record": self.record}
        if canonical(frame) != canonical(own):
            raise Violated("the receipt around the record isn't what follows from it")
        if canonical(self.kantara(identity)) != canonical(self.file["kantara"]):
            raise Violated("the part in Kantara's shape isn't what the record says")
        return "receipt and Kantara's shape follow from the record"

    def kantara(self, identity):
        if self.event.get("event_state") not in ("dpv:ConsentGiven", "dpv:RenewedConsentGiven"):
            return None
        try:
            return self.consented(identity)
        except (KeyError, TypeError, AttributeError):
            raise Violated("the record lacks what Kantara's shape needs") from None

    def consented(self, identity):
        parties, data = self.record["parties"], self.purpose["pii_information"]
        third = [p["party_name"] for p in parties if p["party_type"] == "dpv:ThirdParty"]
        special = [d["pii_type"] for d in data if d.get("special_pii_category") is True]
        purpose = {
            "purpose": self.purpose["purpose"], "purposeCategory": self.purpose["purpose_type"],
            "consentType": "EXPLICIT", "piiCategory": [d["pii_type"] for d in data], "primaryPurpose": True,
            "termination": self.purpose["retention_period"], "thirdPartyDisclosure": bool(third),
        }
        if third:
            purpose["thirdPartyName"] = ", ".join(third)
        controllers = [{
            "piiController": p["party_name"], "onBehalf": False, "contact": p["party_contact"],
            "address": {"streetAddress": p["party_address"]},
            "email": p["party_contact"] if "@" in p["party_contact"] else "not stated", "phone": "not stated",
        } for p in parties if p["party_type"] == "dpv:DataController"]
        return {
            "version": "KI-CR-v1.1.0", "jurisdiction": self.purpose["jurisdiction"],
            "consentTimestamp": seconds(self.event["event_time"]),
            "collectionMethod": self.event["indication_method"], "consentReceiptID": identity,
            "language": self.record["language"], "piiPrincipalId": self.record["pii_principal_id"],
            "piiControllers": controllers, "policyUrl": self.record["privacy_notice"]["url"],
            "services": [{"service": self.purpose["service"], "purposes": [purpose]}],
            "sensitive": bool(special), "spiCat": special,
        }

    def opened(self):
        """The opening is of this record, and both say the same."""
        opening = members(self.file["opening"], "person_ref", "notice_leaf_hash", "decision", "at")
        decision = members(opening["decision"], "state", "processing", "record")
        if sha256(self.record) != decision["record"]:
            raise Violated("the record isn't the one that the opening names")
        if decision["state"] not in STATES or not UUID.fullmatch(str(decision["processing"])):
            raise Violated("the opening's decision can't be read")
        seconds(opening["at"])
        if not is_hash(opening["notice_leaf_hash"]):
            raise Violated("the notice's leaf isn't a hash")
        try:
            said = {
                "person": (opening["person_ref"], self.record["pii_principal_id"]),
                "notice": (opening["notice_leaf_hash"], self.record["privacy_notice"]["leaf_hash"]),
                "state": (decision["state"], self.event["state"]),
                "processing": (decision["processing"], self.record["processing"]["id"]),
                "time": (opening["at"], self.event["event_time"]),
            }
        except (KeyError, TypeError):
            raise Violated("the record lacks what the opening says") from None
        for name, (here, there) in said.items():
            if not isinstance(here, str) or here != there:
                raise Violated(f"opening and record differ in the {name}")
        if self.event.get("event_state") != term(self.basis, decision["state"]):
            raise Violated("the record's event_state is of another decision")
        self.numbered(decision["state"], opening["at"])
        return f"{decision['state']} at {opening['at']}"

    def numbered(self, state, at):
        """What the record's decision repeats is what is said elsewhere."""
        own = self.record["decision"]
        try:
            major = self.record["privacy_notice"]["version"].split(".")[0]
            until = own["until"] if own["until"] and state != "deferred" else ".."
            holds = {
                "notice's version": str(own["notice_major"]) == major,
                "end": self.event["validity_duration"] == f"{at}/{until}",
                "author": isinstance(own["by_person_hash"], str) == (state in ("upheld", "overridden")),
                "number": type(own["number"]) is int and own["number"] >= 1,
            }
        except (KeyError, TypeError, AttributeError):
            raise Violated("the record's decision lacks something") from None
        for name, is_so in holds.items():
            if not is_so:
                raise Violated(f"the record's decision says another {name}")

    def committed(self, proof):
        try:
            message = b"daylight-consent/v1\0" + self.salt + canonical(self.file["opening"])
        except (ValueError, OverflowError, RecursionError):
            raise Violated("the opening can't be written") from None
        commitment = base64url(hashlib.sha256(message).digest())
        if proof.leaf != canonical({"v": 1, "t": "consent", "commitment": commitment}):
            raise Violated(f"leaf {proof.index} commits to something else", proof.index)
        return f"leaf {proof.index} commits to the opening"

    def day(self, proof, policy):
        checkpoint = proof.checkpoint
        known = {(key.name, key.id) for key in policy.witnesses.values() if key.signed(checkpoint)}
        own = [signature for name, identity, signature in checkpoint.signatures if (name, identity) in known]
        times = [int.from_bytes(signature[:8], "big") for signature in own]
        if not times:
            return None, "the operator's word: no witness saw it"
        if min(times) + CLOCKS_DIFFER < seconds(self.file["opening"]["at"]):
            raise Violated("a witness saw it before the time that it claims", proof.index)
        return f"a witness saw it by {datetime.fromtimestamp(min(times), timezone.utc).isoformat()}"


def verify_receipt(data, policy=None):
    """The result for a receipt's bytes and, where given, a policy's text."""
    report = Report()
    try:
        file = read(data)
        policy = None if policy is None else Policy(policy)
    except Unreadable as error:
        return unreadable(error)
    parts = []
    report.run("parts", lambda: parts.append(Receipt(file)) or file["type"])
    if not parts:
        return report.result()
    receipt = parts[0]
    report.run("rewritings", receipt.rewritten)
    report.run("opening", receipt.opened)
    if report.result()["exit"]:
        return report.result()
    if file["proof"] is None:
        return unreadable("no proof: the entry was still waiting for its place in the log")
    proofs = []

    def readable():
        try:
            proofs.append(Proof(str(file["proof"])))
        except Unreadable as error:
            raise Violated(f"the proof can't be read: {error}") from None
        return "a tlog-proof"

    report.run("proof", readable)
    for proof in proofs:
        report.run("commitment", receipt.committed, proof)
        report.run("proof's path", proof.check_path)
        if policy is None:
            report.not_proven.append(OWN_WORD)
            report.run("proof's signatures", lambda: (None, "no policy was given: nobody's signature is checked"))
        else:
            report.run("proof's signatures", proof.check_policy, policy)
            report.run("day", receipt.day, proof, policy)
    return report.result()
