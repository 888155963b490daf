//! Names of entries that stay inside the archive.

/// Whether a name is that of a plain file: no folder, no drive, nothing hidden, nothing that a terminal obeys.
pub(crate) fn is_plain_file_name(name: &str) -> bool {
    let plain = |character: char| !character.is_control() && !matches!(character, '/' | '\\' | ':');
    !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && name.chars().all(plain)
}
