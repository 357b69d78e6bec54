-- What the claimer of a handoff shows its sender about their key card, by the secret of the claim link (SPEC T19).
ALTER TABLE handoffs ADD COLUMN invite_proof BYTEA;
