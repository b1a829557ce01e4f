-- What enters the log by the hour, and a fingerprint of the keys that lie outside the database.

alter table ledger_entry add column not_before timestamptz;
comment on column ledger_entry.not_before is
    'When it may be placed at the earliest: an entry at 10:03 would tell whoever sat beside somebody at 10:03 that they decided something. Null for at once.';

alter table installation add column policy_fingerprint text;
comment on column installation.policy_fingerprint is
    'Of the key that signs policies and the secret behind pseudonyms: another data folder is noticed, and not served.';
