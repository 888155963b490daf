//! Files that are not the runtime library. In a program of its own: a process that holds the library opens no other.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use continuo_engine::runtime_file::{NAME, RuntimeNote};
use continuo_engine::{Runtime, RuntimeError};

#[test]
fn a_file_that_is_no_runtime_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("libcontinuo_onnxruntime.so");
    let text = folder.path().join("notes.so");
    std::fs::write(&text, "not a library").unwrap();
    for path in [&missing, &text, &folder.path().to_owned()] {
        let error = Runtime::open(path).unwrap_err();
        assert_eq!(&error.path, path);
        assert!(error.to_string().contains("cargo xtask fetch-runtime"), "{error}");
    }
    // A library, but not this one.
    #[cfg(target_os = "linux")]
    {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let libc = maps.lines().filter_map(|line| line.split_whitespace().nth(5)).find(|path| path.contains("libc.so"));
        let error = Runtime::open(libc.unwrap().as_ref()).unwrap_err().to_string();
        assert!(error.contains("OrtGetApiBase"), "{error}");
    }
}

/// The library that the other tests load, with its last half cut off, its last quarter zeroed or one bit changed: each
/// kills a process that loads it, or would change what it computes.
#[test]
fn a_damaged_library_is_refused_before_it_is_loaded() {
    let whole = std::fs::read(common::runtime_path()).unwrap();
    let mut zeroed = whole.clone();
    let from = zeroed.len() / 4 * 3;
    zeroed[from..].fill(0);
    let mut flipped = whole.clone();
    flipped[from] ^= 1;
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join(NAME);
    let refuse = |bytes: &[u8], because: &str| {
        std::fs::write(&library, bytes).unwrap();
        let error: RuntimeError = Runtime::open(&library).unwrap_err();
        assert_eq!(error.path, library);
        assert!(error.reason.contains(because), "{error}");
    };

    // With the note that lies beside it in a bundle.
    std::fs::write(&library, &whole).unwrap();
    RuntimeNote::of(&library, "", "", "").unwrap().write(&library).unwrap();
    refuse(&whole[..whole.len() / 2], "bytes where it must have");
    refuse(&zeroed, "its content has changed");
    refuse(&flipped, "its content has changed");
    std::fs::write(RuntimeNote::place(&library), "{").unwrap();
    refuse(&whole, "is damaged");

    // Without a note, as a library of the user's own: what is not whole is still found out.
    std::fs::remove_file(RuntimeNote::place(&library)).unwrap();
    refuse(&whole[..whole.len() / 2], "whole library");
    refuse(b"", "whole library");
    if cfg!(target_os = "linux") {
        refuse(&zeroed, "OrtGetApiBase");
        refuse(&whole[..whole.len() - 1], "whole library");
    }
}
