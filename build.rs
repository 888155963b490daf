//! Link options that Cargo.toml cannot express.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Rust's standard library leaves thread destructors behind in every host thread that ran the plugin. A host that
    // unloads the library and then ends such a thread would jump into nothing; so the library stays once it is loaded.
    if is_linux() {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
    // Functions that src/glibc.rs has of its own, so that the library loads with an older C library than this machine's.
    if std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|environment| environment == "gnu") && is_linux() {
        for function in ["hypot", "hypotf"] {
            println!("cargo::rustc-cdylib-link-arg=-Wl,--wrap={function}");
        }
    }
}

/// Whether the library is built for Linux, whatever builds it.
fn is_linux() -> bool {
    std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux")
}
