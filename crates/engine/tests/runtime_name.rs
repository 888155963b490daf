//! Our copy of ONNX Runtime beside another plug-in's. In a program of its own: what it loads stays.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use libloading::os::unix::{Library, RTLD_LAZY, RTLD_LOCAL};

/// The loader gives whoever asks for a name the library that is loaded under it, wherever its file lies.
fn is_loaded_as(name: &str) -> bool {
    const RTLD_NOLOAD: i32 = 4;
    // SAFETY: nothing is loaded that is not there already.
    unsafe { Library::open(Some(name), RTLD_NOLOAD | RTLD_LAZY | RTLD_LOCAL) }.is_ok()
}

#[test]
fn who_asks_for_onnx_runtime_is_not_given_ours() {
    let _runtime = common::runtime();
    assert!(is_loaded_as(continuo_engine::runtime_file::SONAME), "the library has lost our name: fetch it again");
    assert!(!is_loaded_as("libonnxruntime.so.1"));
    // The control: a library that is here under its usual name.
    assert!(is_loaded_as("libc.so.6"));
}
