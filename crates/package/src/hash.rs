//! SHA-256: the one place that hashes, for all of the workspace.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The SHA-256 of `bytes`, as 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    to_hex(&Sha256::digest(bytes))
}

/// The SHA-256 of what comes piece by piece.
#[derive(Debug, Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// With nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece in.
    pub fn update(&mut self, piece: impl AsRef<[u8]>) {
        self.0.update(piece);
    }

    /// The sum, as 32 bytes.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    /// The sum, as 64 lower-case hexadecimal digits.
    pub fn finish_hex(self) -> String {
        to_hex(&self.finish())
    }
}

/// The SHA-256 of the file at `path`.
pub fn sha256_hex_of_file(path: &Path) -> io::Result<String> {
    sha256_hex_of(&mut File::open(path)?)
}

/// The SHA-256 of everything left in `reader`, read in bounded pieces.
pub fn sha256_hex_of(reader: &mut impl Read) -> io::Result<String> {
    let mut hasher = Hasher::new();
    let mut piece = vec![0u8; 1 << 16];
    loop {
        let read = reader.read(&mut piece)?;
        if read == 0 {
            return Ok(hasher.finish_hex());
        }
        hasher.update(&piece[..read]);
    }
}

/// Bytes as lower-case hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_standard_vector() {
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_hex(b"abc"), abc);
        assert!(matches!(sha256_hex_of(&mut &b"abc"[..]), Ok(hex) if hex == abc));
        let mut pieces = Hasher::new();
        pieces.update("a");
        pieces.update(b"bc");
        assert_eq!(to_hex(&pieces.clone().finish()), abc);
        assert_eq!(pieces.finish_hex(), abc);
    }
}
