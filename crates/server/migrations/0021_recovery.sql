-- Recoveries ask for an address that nobody may have verified.
CREATE INDEX users_by_address ON users (email_key);
