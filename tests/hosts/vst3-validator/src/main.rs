//! `vst3-validator PATH.vst3`: runs Steinberg's VST3 tests on a plugin; exits with 1 if one fails.

use std::ffi::{CString, c_char, c_int};
use std::process::ExitCode;

unsafe extern "C" {
    fn validate(path: *const c_char) -> c_int;
}

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1).and_then(|path| CString::new(path).ok()) else {
        eprintln!("usage: vst3-validator PATH.vst3");
        return ExitCode::from(2);
    };
    if path.as_bytes() == b"--help" {
        println!("usage: vst3-validator PATH.vst3");
        return ExitCode::SUCCESS;
    }
    // SAFETY: `path` is NUL-terminated and outlives the call; the driver catches its own exceptions.
    let failed = unsafe { validate(path.as_ptr()) };
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
