//! Bundles of small stand-in parts, laid out, packed and installed in temporary folders.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use continuo_bundler::install::{PluginFolders, install};
use continuo_bundler::platform::System;
use continuo_bundler::runtime::RuntimeFiles;
use continuo_bundler::{BundleError, Bundles, Parts, Platform, archive, lay_out, vstpreset};
use continuo_package::hash::sha256_hex;
use continuo_package::runtime_file::{self, RuntimeNote};
use tempfile::TempDir;

/// A patch with a name that is no file's.
const PATCH: &str = r#"{ "continuo_patch": 1, "name": "Now/Then: A?" }"#;

struct Workshop {
    folder: TempDir,
}

impl Workshop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("parts/libcontinuo.so", "the library");
        write("parts/runtime/library", "the runtime");
        write("parts/runtime/LICENSE", "MIT");
        write("parts/runtime/ThirdPartyNotices.txt", "notices");
        let library = folder.path().join("parts/runtime/library");
        RuntimeNote::of(&library, "1.2.3", "a.whl", &"0".repeat(64)).unwrap().write(&library).unwrap();
        write("presets/LICENCES.md", "licences");
        write("presets/seeds/01-one.wav", "a seed clip");
        write("presets/seeds/.DS_Store", "droppings");
        write("presets/patches/01-a.continuo-patch", PATCH);
        Self { folder }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    fn parts(&self, platform: Platform) -> Parts {
        Parts {
            platform,
            library: self.path("parts/libcontinuo.so"),
            runtime: RuntimeFiles {
                library: self.path("parts/runtime/library"),
                licence: self.path("parts/runtime/LICENSE"),
                notices: self.path("parts/runtime/ThirdPartyNotices.txt"),
            },
            presets: self.path("presets"),
            licences: vec![("LICENSE-MIT".to_owned(), "MIT text".to_owned())],
            version: "1.2.3".to_owned(),
        }
    }

    fn bundle(&self, platform: Platform) -> Bundles {
        lay_out(&self.parts(platform), &self.path("bundled")).unwrap()
    }
}

/// Every file below `folder`, by its path with `/`.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
            files.insert(name, fs::read(&path).unwrap());
        }
    }
    files
}

fn resources(at: &str, runtime: &str) -> Vec<String> {
    [
        "licences/LICENSE-MIT".to_owned(),
        "presets/LICENCES.md".to_owned(),
        "presets/patches/01-a.continuo-patch".to_owned(),
        "presets/seeds/01-one.wav".to_owned(),
        "runtime/LICENSE".to_owned(),
        "runtime/ThirdPartyNotices.txt".to_owned(),
        format!("runtime/{runtime}"),
        format!("runtime/{runtime}.json"),
    ]
    .map(|name| format!("{at}/{name}"))
    .to_vec()
}

/// What VST3 hosts read without loading anything.
fn vst3_files() -> Vec<String> {
    ["Continuo.vst3/Contents/Resources/moduleinfo.json", "Continuo.vstpresets/Now_Then_ A_.vstpreset"]
        .map(str::to_owned)
        .to_vec()
}

fn names(folder: &Path) -> Vec<String> {
    tree(folder).into_keys().collect()
}

fn expected(groups: &[Vec<String>]) -> Vec<String> {
    let mut all = groups.concat();
    all.sort();
    all
}

#[test]
fn linux_and_windows_layouts_are_as_documented() {
    for (platform, binary, runtime) in [
        (Platform::LinuxX64, "x86_64-linux/Continuo.so", "libcontinuo_onnxruntime.so"),
        (Platform::LinuxArm64, "aarch64-linux/Continuo.so", "libcontinuo_onnxruntime.so"),
        (Platform::WindowsX64, "x86_64-win/Continuo.vst3", "continuo_onnxruntime.dll"),
        (Platform::WindowsArm64, "arm64-win/Continuo.vst3", "continuo_onnxruntime.dll"),
    ] {
        let workshop = Workshop::new();
        let bundles = workshop.bundle(platform);
        let found = names(&bundles.folder);
        let wanted = expected(&[
            vec!["Continuo.clap".to_owned(), format!("Continuo.vst3/Contents/{binary}")],
            vst3_files(),
            resources("Continuo.resources", runtime),
            resources("Continuo.vst3/Contents/Resources", runtime),
        ]);
        assert_eq!(found, wanted, "{platform}");
        assert_eq!(bundles.seeds, 1);
    }
}

#[test]
fn macos_bundles_are_folders_with_their_own_resources() {
    let workshop = Workshop::new();
    // A bundle of another layout must not leave its parts behind.
    workshop.bundle(Platform::LinuxX64);
    let bundles = workshop.bundle(Platform::MacosArm64);
    let mut wanted = vec![vst3_files()];
    for bundle in ["Continuo.clap", "Continuo.vst3"] {
        wanted.push(resources(&format!("{bundle}/Contents/Resources"), "libcontinuo_onnxruntime.dylib"));
        wanted
            .push(["MacOS/Continuo", "Info.plist", "PkgInfo"].map(|name| format!("{bundle}/Contents/{name}")).to_vec());
    }
    assert_eq!(names(&bundles.folder), expected(&wanted));
    assert_eq!(bundles.clap_resources, None);
    assert_eq!(fs::read_to_string(bundles.vst3.join("Contents/PkgInfo")).unwrap(), "BNDL????");
    assert!(fs::read_to_string(bundles.clap.join("Contents/Info.plist")).unwrap().contains("<string>1.2.3</string>"));
}

#[test]
fn a_second_bundling_replaces_the_first_and_leaves_nothing_else() {
    let workshop = Workshop::new();
    workshop.bundle(Platform::LinuxX64);
    fs::write(workshop.path("parts/libcontinuo.so"), "a newer library").unwrap();
    fs::remove_file(workshop.path("presets/LICENCES.md")).unwrap();
    let bundles = workshop.bundle(Platform::LinuxX64);
    let files = tree(&bundles.folder);
    assert_eq!(files["Continuo.clap"], b"a newer library");
    assert_eq!(files["Continuo.vst3/Contents/x86_64-linux/Continuo.so"], b"a newer library");
    assert!(!files.keys().any(|name| name.contains("LICENCES.md") || name.starts_with('.')), "{:?}", files.keys());
}

#[test]
fn a_missing_part_is_named_and_the_old_bundle_stays() {
    let workshop = Workshop::new();
    let bundles = workshop.bundle(Platform::LinuxX64);
    let before = tree(&bundles.folder);
    fs::remove_file(workshop.path("parts/runtime/library")).unwrap();
    let error = lay_out(&workshop.parts(Platform::LinuxX64), &bundles.folder).unwrap_err();
    assert!(error.to_string().contains("cargo xtask fetch-runtime"), "{error}");
    assert_eq!(tree(&bundles.folder), before);
}

#[test]
fn a_runtime_library_that_has_changed_is_not_bundled() {
    let workshop = Workshop::new();
    let library = workshop.path("parts/runtime/library");
    let refused = || lay_out(&workshop.parts(Platform::LinuxX64), &workshop.path("bundled")).unwrap_err();
    fs::write(&library, "the runtim").unwrap();
    assert!(matches!(refused(), BundleError::Runtime { .. }), "{}", refused());
    assert!(refused().to_string().contains("cargo xtask fetch-runtime"));
    fs::remove_file(RuntimeNote::place(&library)).unwrap();
    assert!(matches!(refused(), BundleError::Missing { .. }), "{}", refused());
    assert!(!workshop.path("bundled").exists());
}

#[test]
fn the_note_in_a_bundle_is_for_the_library_in_it() {
    let workshop = Workshop::new();
    let bundles = workshop.bundle(Platform::WindowsX64);
    let runtime = bundles.vst3.join("Contents/Resources/runtime");
    assert!(runtime_file::check(&runtime.join("continuo_onnxruntime.dll")).unwrap());
}

#[test]
fn a_damaged_factory_model_stops_the_bundling() {
    let workshop = Workshop::new();
    fs::create_dir_all(workshop.path("presets/models")).unwrap();
    fs::write(workshop.path("presets/models/bad.continuo"), "not a package").unwrap();
    let error = lay_out(&workshop.parts(Platform::LinuxX64), &workshop.path("bundled")).unwrap_err();
    assert!(matches!(error, BundleError::Model(_)), "{error}");
    assert!(error.to_string().contains("bad.continuo"), "{error}");
    assert!(!workshop.path("bundled").exists());
}

#[cfg(unix)]
#[test]
fn a_link_among_the_presets_is_refused() {
    let workshop = Workshop::new();
    std::os::unix::fs::symlink("/etc/passwd", workshop.path("presets/seeds/02-link.wav")).unwrap();
    let error = lay_out(&workshop.parts(Platform::LinuxX64), &workshop.path("bundled")).unwrap_err();
    assert!(matches!(error, BundleError::NotPlain { .. }), "{error}");
    assert_eq!(names(&workshop.path("bundled")), Vec::<String>::new());
}

#[test]
fn sums_and_archive_hold_every_file_and_are_reproducible() {
    let workshop = Workshop::new();
    let bundles = workshop.bundle(Platform::LinuxX64);
    let before = tree(&bundles.folder);
    let path = archive::pack(&bundles, "1.2.3", Platform::LinuxX64).unwrap();
    assert_eq!(path.file_name().unwrap(), "continuo-1.2.3-linux-x86_64.zip");
    let first = fs::read(&path).unwrap();

    let sums = fs::read_to_string(bundles.folder.join("SHA256SUMS")).unwrap();
    let listed: BTreeMap<&str, &str> =
        sums.lines().map(|line| line.split_once("  ").map(|(hash, name)| (name, hash)).unwrap()).collect();
    assert_eq!(listed.keys().copied().collect::<Vec<_>>(), before.keys().map(String::as_str).collect::<Vec<_>>());
    for (name, bytes) in &before {
        assert_eq!(listed[name.as_str()], sha256_hex(bytes), "{name}");
    }

    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(&first)).unwrap();
    let mut packed: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
    packed.sort();
    let mut wanted: Vec<String> = before.keys().cloned().chain(["SHA256SUMS".to_owned()]).collect();
    wanted.sort();
    assert_eq!(packed, wanted);
    let mut library = Vec::new();
    std::io::Read::read_to_end(&mut zip.by_name("Continuo.clap").unwrap(), &mut library).unwrap();
    assert_eq!(library, b"the library");

    let sum = fs::read_to_string(bundles.folder.join("continuo-1.2.3-linux-x86_64.zip.sha256")).unwrap();
    assert_eq!(sum, format!("{}  continuo-1.2.3-linux-x86_64.zip\n", sha256_hex(&first)));
    archive::pack(&workshop.bundle(Platform::LinuxX64), "1.2.3", Platform::LinuxX64).unwrap();
    assert_eq!(fs::read(&path).unwrap(), first);
}

#[test]
fn installing_replaces_an_older_version_and_touches_nothing_else() {
    let workshop = Workshop::new();
    let folders = PluginFolders::below(System::Linux, &workshop.path("home"), Path::new("unused"));
    fs::create_dir_all(folders.vst3.join("Continuo.vst3/Contents/old-arch")).unwrap();
    fs::write(folders.vst3.join("Continuo.vst3/Contents/old-arch/left.so"), "old").unwrap();
    fs::create_dir_all(&folders.clap).unwrap();
    fs::write(folders.clap.join("Continuo.clap"), "old").unwrap();
    fs::write(folders.clap.join("Other.clap"), "somebody else's").unwrap();
    fs::create_dir_all(&folders.vst3_presets).unwrap();
    fs::write(folders.vst3_presets.join("Mine.vstpreset"), "the user's").unwrap();

    let bundles = workshop.bundle(Platform::LinuxX64);
    let installed = install(&bundles, &folders).unwrap();
    assert_eq!(
        installed,
        [
            folders.clap.join("Continuo.resources"),
            folders.clap.join("Continuo.clap"),
            folders.vst3.join("Continuo.vst3"),
            folders.vst3_presets.clone(),
        ]
    );
    let mut wanted = tree(&bundles.folder);
    // Presets lie among the user's own, on Linux below the plugins'.
    let presets: Vec<_> = wanted.extract_if(.., |name, _| name.starts_with("Continuo.vstpresets")).collect();
    let (mut vst3, mut clap): (BTreeMap<_, _>, BTreeMap<_, _>) =
        std::mem::take(&mut wanted).into_iter().partition(|(name, _)| name.starts_with("Continuo.vst3"));
    vst3.extend(
        presets
            .into_iter()
            .map(|(name, bytes)| (name.replace("Continuo.vstpresets", "presets/Continuo/Continuo"), bytes)),
    );
    vst3.insert("presets/Continuo/Continuo/Mine.vstpreset".to_owned(), b"the user's".to_vec());
    clap.insert("Other.clap".to_owned(), b"somebody else's".to_vec());
    assert_eq!(tree(&folders.clap), clap);
    assert_eq!(tree(&folders.vst3), vst3);
}

#[test]
fn a_folder_that_cannot_be_written_gets_a_sentence() {
    let workshop = Workshop::new();
    let bundles = workshop.bundle(Platform::LinuxX64);
    // A file where the folder should be: refused for every user, the administrator included.
    fs::write(workshop.path("home"), "a file").unwrap();
    let folders = PluginFolders::below(System::Linux, &workshop.path("home"), Path::new("unused"));
    let error = install(&bundles, &folders).unwrap_err();
    assert!(matches!(error, BundleError::Io { .. }));
    let text = error.to_string();
    assert!(text.contains(".clap") && text.contains("A file is in the way"), "{text}");
    assert_eq!(fs::read_to_string(workshop.path("home")).unwrap(), "a file");
}

#[cfg(unix)]
#[test]
fn a_developers_link_in_the_plugin_folder_is_replaced_not_followed() {
    let workshop = Workshop::new();
    let bundles = workshop.bundle(Platform::LinuxX64);
    let folders = PluginFolders::below(System::Linux, &workshop.path("home"), Path::new("unused"));
    fs::create_dir_all(&folders.vst3).unwrap();
    std::os::unix::fs::symlink(&bundles.vst3, folders.vst3.join("Continuo.vst3")).unwrap();
    let before = tree(&bundles.folder);
    install(&bundles, &folders).unwrap();
    assert_eq!(tree(&bundles.folder), before);
    assert!(!fs::symlink_metadata(folders.vst3.join("Continuo.vst3")).unwrap().is_symlink());
}

#[test]
fn the_user_folders_are_the_standard_ones() {
    let home = Path::new("/h");
    let windows = PluginFolders::below(System::Windows, home, Path::new("/h/local"));
    assert_eq!(windows.vst3, Path::new("/h/local/Programs/Common/VST3"));
    let macos = PluginFolders::below(System::Macos, home, Path::new("/h/x"));
    assert_eq!(macos.clap, Path::new("/h/Library/Audio/Plug-Ins/CLAP"));
    assert_eq!(macos.vst3_presets, Path::new("/h/Library/Audio/Presets/Continuo/Continuo"));
    assert_eq!(windows.vst3_presets, Path::new("/h/AppData/Roaming/VST3 Presets/Continuo/Continuo"));
}

#[test]
fn a_preset_holds_its_patch_as_it_is_and_a_damaged_patch_stops_the_bundling() {
    let workshop = Workshop::new();
    let bundles = workshop.bundle(Platform::LinuxX64);
    assert_eq!(bundles.patches, 1);
    let preset = fs::read(bundles.vst3_presets.join("Now_Then_ A_.vstpreset")).unwrap();
    let info = fs::read_to_string(bundles.vst3.join("Contents/Resources/moduleinfo.json")).unwrap();
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    let class = info["Classes"][0]["CID"].as_str().unwrap();
    assert_eq!(vstpreset::read(&preset), Some((class, PATCH.as_bytes())));
    assert_eq!((info["Version"].as_str(), info["Classes"][0]["Version"].as_str()), (Some("1.2.3"), Some("1.2.3")));
    for end in 0..preset.len() {
        assert_eq!(vstpreset::read(&preset[..end]), None, "{end} bytes");
    }
    for (bytes, reason) in [("{", "EOF"), ("{}", "continuo_patch"), (r#"{"continuo_patch":1}"#, "name")] {
        fs::write(workshop.path("presets/patches/02-b.continuo-patch"), bytes).unwrap();
        let error = lay_out(&workshop.parts(Platform::LinuxX64), &bundles.folder).unwrap_err().to_string();
        assert!(error.contains("02-b.continuo-patch") && error.contains(reason), "{error}");
    }
}
