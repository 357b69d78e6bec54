//! The Segue server: accounts, handoffs and sealed packs. It sees ciphertext and cards only.
