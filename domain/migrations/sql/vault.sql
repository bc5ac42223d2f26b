-- One key at a time wraps anything new, at each place of the hierarchy.
CREATE UNIQUE INDEX IF NOT EXISTS vault_crypto_key_one_primary
    ON vault_crypto_key (level, purpose, district) WHERE status = 'primary';
-- A rewrap walks the data keys of one district key in id order.
CREATE INDEX IF NOT EXISTS vault_dek_by_key ON vault_dek (key_id, id);
-- No policy here: rows hold wrapped keys, owner ids and nothing personal, and every process of the
-- server needs them before it knows an actor. What protects them is the root key outside.
