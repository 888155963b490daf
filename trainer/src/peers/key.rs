//! The key of a meeting: who does not know it takes no part.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use continuo_package::hash::{Hasher, to_hex};

/// The environment's variable that holds it. Processes that worker 0 starts find one that was drawn for them alone; workers
/// on several machines may be given one by hand.
pub const VARIABLE: &str = "CONTINUO_MEETING_KEY";

/// A key, or none.
#[derive(Clone, Default)]
pub struct Key(String);

impl Key {
    /// The one that this process was given; none if it was given none.
    pub fn given() -> Self {
        Self(std::env::var(VARIABLE).unwrap_or_default())
    }

    /// One that nobody knows yet.
    pub fn fresh() -> Self {
        let bytes: Vec<u8> = (0..4).flat_map(|_| random().to_le_bytes()).collect();
        Self(to_hex(&bytes))
    }

    /// As it is handed on.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Proves that this key is known, in one meeting and for one message.
    pub fn proof(&self, meeting: u64, message: &[u8]) -> [u8; 32] {
        let mut hash = self.hash("inner");
        hash.update(meeting.to_le_bytes());
        hash.update(message);
        let inner = hash.finish();
        let mut hash = self.hash("outer");
        hash.update(inner);
        hash.finish()
    }

    fn hash(&self, round: &str) -> Hasher {
        let mut hash = Hasher::new();
        hash.update(round);
        hash.update((self.0.len() as u64).to_le_bytes());
        hash.update(&self.0);
        hash
    }
}

/// A number that others cannot guess: the standard library seeds these hashers by the system's randomness.
pub fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_of_one_key_one_meeting_and_one_message() {
        let (key, other) = (Key::fresh(), Key::fresh());
        assert_eq!(key.text().len(), 64);
        let proof = key.proof(1, b"hello");
        assert_eq!(proof, key.clone().proof(1, b"hello"));
        for different in [
            other.proof(1, b"hello"),
            key.proof(2, b"hello"),
            key.proof(1, b"help!"),
            Key::default().proof(1, b"hello"),
        ] {
            assert_ne!(proof, different);
        }
    }
}
