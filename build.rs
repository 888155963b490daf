//! Link options that Cargo.toml cannot express.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Rust's standard library leaves thread destructors behind in every host thread that ran the plugin. A host that
    // unloads the library and then ends such a thread would jump into nothing; so the library stays once it is loaded.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
