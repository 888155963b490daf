//! What lets the plug-in load on a C library that is older than the one it was built with.
//!
//! glibc 2.35 gave `hypot` and `hypotf` a new version, and a linker takes the newest there is: for two functions that only
//! drawing calls, the library would not load with glibc 2.34. So the linker is told to call these instead (`build.rs`).
//! `cargo xtask bundle` reads what the built library needs and refuses what is newer than it may be.

/// √(x² + y²), under the name that the linker's `--wrap` calls in place of `hypot`.
#[unsafe(no_mangle)]
extern "C" fn __wrap_hypot(x: f64, y: f64) -> f64 {
    libm::hypot(x, y)
}

/// The same in single precision.
#[unsafe(no_mangle)]
extern "C" fn __wrap_hypotf(x: f32, y: f32) -> f32 {
    libm::hypotf(x, y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_right_where_squares_are_not() {
        assert!((__wrap_hypot(3.0, 4.0) - 5.0).abs() < f64::EPSILON);
        assert!((__wrap_hypotf(-5.0, 12.0) - 13.0).abs() < f32::EPSILON);
        assert!((__wrap_hypotf(3e30, 4e30) / 5e30 - 1.0).abs() < 1e-6);
        assert!((__wrap_hypot(3e-300, 4e-300) / 5e-300 - 1.0).abs() < 1e-12);
        assert!(__wrap_hypot(f64::INFINITY, f64::NAN).is_infinite());
    }
}
