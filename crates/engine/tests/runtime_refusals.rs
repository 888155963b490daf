//! Files that are not the runtime library. In a program of its own: a process that holds the library opens no other.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use continuo_engine::Runtime;

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
